import fc from 'fast-check';
import type { JsonObject } from '../json';
import { assistant, branchOf, brokenConversations, nativeLines, parseLines, toolCall, toolResult, userText } from '../testing/tool-arbitraries';
import { nativeTranscripts, oddLines, simpleTranscripts } from '../testing/transcript-arbitraries';
import { activeBranch } from '../transcript/active-branch';
import { lineLinks } from '../transcript/line-links';
import { assembleContext, contextProblems } from './assemble-context';
import { planTruncation, rewriteLine, type TruncationPlan } from './plan-truncation';

const plan = (lines: readonly string[], maxLines: number): TruncationPlan => planTruncation(parseLines(lines).flatMap((line) => lineLinks(line) ?? []), maxLines);

function cut(lines: readonly string[], maxLines: number): readonly string[] {
  const found = plan(lines, maxLines);
  if (!found.ok || !found.compacted) return lines;
  return found.lines.map(({ number, rewrite }) => (rewrite === undefined ? (lines[number - 1] ?? '') : rewriteLine(lines[number - 1] ?? '', rewrite)));
}

const native = (value: JsonObject): string => JSON.stringify(value);
const message = (id: string, parentId: string | null, more: JsonObject = {}): string => native({ type: 'message', id, parentId, message: userText(id), ...more });
const HEADER = native({ type: 'session', version: 3, id: 's' });
const path = (lines: readonly string[]) => activeBranch(parseLines(lines)).path;

describe('planTruncation', () => {
  it('leaves exactly 50 of 500 lines, header first, bytes untouched but for the new root', () => {
    const lines = nativeLines(Array.from({ length: 499 }, (_, index) => userText(String(index))));
    const found = cut(lines, 50);
    expect(found).toHaveLength(50);
    expect(found[0]).toBe(lines[0]);
    expect(found[1]).toBe((lines[451] ?? '').replace(/"parentId":"[0-9a-f]+"/, '"parentId":null'));
    expect(found.slice(2)).toEqual(lines.slice(452));
  });

  it('does nothing below the limit', () => {
    const lines = nativeLines([userText('a'), userText('b')]);
    expect(plan(lines, 3)).toEqual({ ok: true, compacted: false, reason: 'below limit', keptLines: 3 });
    expect(plan([], 3)).toMatchObject({ compacted: false, reason: 'no transcript' });
    expect(plan([...lines, '', ' '], 3)).toMatchObject({ compacted: false });
  });

  it('keeps header and last line at 1, the last lines without a header', () => {
    const lines = nativeLines([userText('a'), userText('b'), userText('c')]);
    expect(cut(lines, 1).map((line) => JSON.parse(line) as JsonObject)).toMatchObject([{ type: 'session' }, { id: '00000003', parentId: null }]);
    expect(cut(lines.slice(1), 2)).toHaveLength(2);
    expect(cut(['{"role":"user","content":"a"}', '{"role":"user","content":"b"}'], 1)).toEqual(['{"role":"user","content":"b"}']);
  });

  it('leaves out results whose call is gone, and grows back to the call when no message would stay', () => {
    const lines = nativeLines([userText('a'), assistant('', [toolCall('1'), toolCall('2')]), toolResult('1'), toolResult('2'), userText('b')]);
    expect(cut(lines, 3).map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(['generated', '00000005']);
    expect(cut(lines.slice(0, 5), 2).map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(['generated', '00000002', '00000003', '00000004']);
  });

  it('refuses when the active leaf would go', () => {
    const side = [HEADER, message('a', null), ...['x', 'y', 'z'].map((id) => message(id, 'a', { appendMode: 'side' }))];
    expect(plan(side, 3)).toEqual({ ok: false, reason: 'active leaf outside kept window' });
    const moved = [HEADER, message('a', null), message('b', 'a'), message('c', 'b'), native({ type: 'leaf', id: 'l', parentId: 'c', targetId: 'a' })];
    expect(plan(moved, 3)).toEqual({ ok: false, reason: 'active leaf outside kept window' });
    expect(plan(moved, 4)).toEqual({ ok: false, reason: 'active leaf outside kept window' });
    const near = [HEADER, message('a', null), message('b', 'a'), message('c', 'b'), native({ type: 'leaf', id: 'l', parentId: 'c', targetId: 'b' })];
    expect(path(cut(near, 4)).map((line) => line.id)).toEqual(['b']);
  });

  it('joins to the nearest kept ancestor over side branches, and drops labels without their target', () => {
    const lines = [HEADER, message('a', null), message('b', 'a'), message('side', 'a'), native({ type: 'label', id: 'l1', parentId: 'side', targetId: 'a', label: 'x' }), message('c', 'b'), native({ type: 'label', id: 'l2', parentId: 'c', targetId: 'c', label: 'y' }), message('d', 'l2')];
    const found = cut(lines, 6).map((line) => JSON.parse(line) as JsonObject);
    expect(found.map((line) => [line['id'], line['parentId']])).toEqual([['s', undefined], ['side', null], ['c', null], ['l2', 'c'], ['d', 'l2']]);
  });

  it('moves the boundary of a compaction that stays, and says when a summary goes', () => {
    const lines = [HEADER, message('a', null), message('b', 'a'), message('c', 'b'), native({ type: 'compaction', id: 'k', parentId: 'c', summary: 'S', firstKeptEntryId: 'b', extra: 1.0 }), message('d', 'k'), message('e', 'd')];
    const at = (maxLines: number) => cut(lines, maxLines).map((line) => JSON.parse(line) as JsonObject).find((line) => line['id'] === 'k');
    expect(at(6)?.['firstKeptEntryId']).toBe('b');
    expect(at(5)?.['firstKeptEntryId']).toBe('c');
    expect(at(4)?.['firstKeptEntryId']).toBe('k');
    expect(plan(lines, 4)).toMatchObject({ summaryDropped: false });
    expect(plan(lines, 3)).toMatchObject({ summaryDropped: true });
  });

  it('keeps damaged lines as they are and joins over them', () => {
    const lines = [HEADER, message('a', null), '{torn', message('b', 'a'), '{"no":"id"}', message('c', 'b')];
    expect(cut(lines, 5)).toEqual([HEADER, '{torn', message('b', 'a').replace('"a"', 'null'), '{"no":"id"}', message('c', 'b')]);
  });

  it('counts the new numbers of version 1', () => {
    const lines = ['{"type":"session","id":"s"}', ...['a', 'b', 'c'].map((text) => native({ type: 'message', message: userText(text) })), native({ type: 'compaction', summary: 'S', firstKeptEntryIndex: 3 }), native({ type: 'message', message: userText('d') })];
    expect(JSON.parse(cut(lines, 4)[2] ?? '')).toMatchObject({ firstKeptEntryIndex: 1 });
    expect(JSON.parse(cut(lines, 3)[1] ?? '')).toMatchObject({ firstKeptEntryIndex: 1 });
  });
});

describe('any truncation', () => {
  const limits = fc.integer({ min: 1, max: 30 });

  function check(lines: readonly string[], maxLines: number): void {
    const found = plan(lines, maxLines);
    if (!found.ok || !found.compacted) return;
    const after = cut(lines, maxLines);
    expect(after).toHaveLength(found.keptLines);
    const numbers = found.lines.map((line) => line.number);
    expect(numbers).toEqual([...numbers].sort((left, right) => left - right));
    if (parseLines(lines)[0]?.ok === true && lines[0]?.includes('"type":"session"') === true) expect(after[0]).toBe(lines[0]);
    const ids = new Set<string>();
    for (const text of after) {
      const [line] = parseLines([text]);
      if (line?.ok !== true) continue;
      if (typeof line.parentId === 'string') expect(ids.has(line.parentId)).toBe(true);
      if (typeof line.value['id'] === 'string' && line.kind === 'native') ids.add(line.value['id']);
    }
    const before = path(lines);
    const kept = path(after).map((line) => JSON.stringify({ ...line.value, parentId: 0, firstKeptEntryId: 0, firstKeptEntryIndex: 0 }));
    const wanted = before.filter((line) => numbers.includes(line.number)).map((line) => JSON.stringify({ ...line.value, parentId: 0, firstKeptEntryId: 0, firstKeptEntryIndex: 0 }));
    expect(kept).toEqual(wanted);
    expect(contextProblems(assembleContext(path(after)).map((each) => each.message))).toEqual([]);
    expect(plan(after, maxLines)).toMatchObject({ ok: true, compacted: false });
  }

  it('of a conversation with tools, whole or broken, leaves a valid end of it, and a second one changes nothing', () => {
    fc.assert(fc.property(brokenConversations, limits, (messages, maxLines) => check(nativeLines(messages), maxLines)), { numRuns: 400 });
  });

  it('keeps every call with its results and every result with its call', () => {
    fc.assert(fc.property(brokenConversations, limits, (messages, maxLines) => {
      const after = branchOf(cut(nativeLines(messages), maxLines));
      const found = plan(nativeLines(messages), maxLines);
      if (!found.ok || !found.compacted) return;
      const calls = new Set(after.flatMap((line) => lineLinks(line)?.callIds ?? []));
      for (const line of after) if (line.role === 'toolResult') expect(calls.has(String(line.message?.['toolCallId']))).toBe(true);
    }));
  });

  it('of a tree with side lines and moved leaves keeps the branch or is refused', () => {
    fc.assert(fc.property(nativeTranscripts, limits, ({ lines }, maxLines) => check(lines, maxLines)), { numRuns: 400 });
  });

  it('of simple lines is their tail', () => {
    fc.assert(fc.property(simpleTranscripts, limits, (lines, maxLines) => expect(cut(lines, maxLines)).toEqual(lines.slice(-maxLines))));
  });

  it('of odd lines never throws', () => {
    fc.assert(fc.property(fc.array(oddLines, { maxLength: 30 }), limits, (lines, maxLines) => {
      cut(lines, maxLines);
    }));
  });
});
