/**
 * Files that a tool hands to the sub-agent it spawns, through real router, owner and runner: they are in
 * the child's workspace while it works, with the hash that the receipt names, in no transcript, and gone
 * with its run unless they are to stay.
 */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import * as path from 'node:path';
import { ListEntriesRequest } from '@sessions/contracts';
import { waitUntil } from '../support/wait-until';
import { openInProcess } from './gateway-in-process';
import type { GatewayInProcess } from './gateway-in-process';
import { obedientModel } from './obedient-model';

const PARENT = 'agent:main:main';
const LONG_MS = 240_000;
const TEXT = 'plain words: grüße\n';
const BYTES = Buffer.from(Array.from({ length: 70_000 }, (_, at) => (at * 31) % 256));
const FILES = [{ name: 'notes.txt', content: TEXT }, { name: 'image.bin', content: BYTES.toString('base64'), encoding: 'base64', mimeType: 'application/octet-stream' }];
const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

let gateway: GatewayInProcess | undefined;
afterEach(() => gateway?.stop(), LONG_MS);

/** Files below the state directory whose path has this in it. */
const filesOf = ({ stateDir }: GatewayInProcess, part: string): string[] =>
  readdirSync(stateDir, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes(part) && statSync(path.join(stateDir, name)).isFile()).map((name) => path.join(stateDir, name));

it.each([
  ['goes with the run of one that is kept', { cleanup: 'keep' }, false, false],
  ['stays where that is asked for', { cleanup: 'keep' }, true, true],
  ['goes with one that is deleted, whatever is asked for', { cleanup: 'delete' }, true, false],
])('what a sub-agent was given %s', async (_what, args, retainOnSessionKeep, stays) => {
  const opened = (gateway = await openInProcess({ tools: { sessions_spawn: { attachments: { retainOnSessionKeep } } } }));
  let finish = (): void => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  let read: (readonly [string, string])[] = [];
  opened.model.answer = obedientModel(({ message }) => {
    if (!message.includes('look at them') || message.includes('Result of')) return { chunks: ['NO_REPLY'] };
    // As the child's own tools would read them: at the place that its task names.
    read = [...message.matchAll(/^- (\S+) \((\d+) bytes\)$/gmu)].map(([, name = '', bytes = '']) => [name, bytes]);
    return { after: finished, chunks: ['seen'] };
  });
  const spawned = await opened.tool(PARENT, 'sessions_spawn', { task: 'look at them', attachments: FILES, ...args });
  const receipt = spawned['attachments'] as { count: number; totalBytes: number; relDir: string; files: { name: string; bytes: number; sha256: string }[] };
  expect(spawned).toMatchObject({ status: 'accepted' });
  expect(receipt).toMatchObject({ count: 2, totalBytes: Buffer.byteLength(TEXT) + BYTES.length, relDir: expect.stringMatching(/^\.openclaw\/attachments\/[0-9a-f-]{36}$/u) });
  expect(receipt.files).toEqual([{ name: 'notes.txt', bytes: Buffer.byteLength(TEXT), sha256: sha256(TEXT) }, { name: 'image.bin', bytes: BYTES.length, sha256: sha256(BYTES) }]);
  await waitUntil('the sub-agent works', () => (read.length > 0 ? true : undefined), LONG_MS);
  expect(read).toEqual(receipt.files.map(({ name, bytes }) => [`${receipt.relDir}/${name}`, String(bytes)]));
  for (const { name, sha256: hash } of receipt.files) {
    const [file = '', ...more] = filesOf(opened, `${receipt.relDir}/${name}`);
    expect(more).toEqual([]);
    expect([sha256(readFileSync(file)), statSync(file).mode & 0o777, statSync(path.dirname(file)).mode & 0o777]).toEqual([hash, 0o600, 0o700]);
  }
  expect(filesOf(opened, `${receipt.relDir}/.manifest.json`)).toHaveLength(1);
  finish();
  await opened.idle('main');
  await waitUntil('the files are where they should be', () => (filesOf(opened, receipt.relDir).length === (stays ? 3 : 0) ? true : undefined), LONG_MS);
  const encoded = BYTES.toString('base64').slice(0, 200);
  for (const file of filesOf(opened, '.jsonl')) expect([file, readFileSync(file, 'utf8').includes(encoded)]).toEqual([file, false]);
}, LONG_MS);

it.each([
  ['are not taken for acp', { runtime: 'acp', attachments: FILES }, 'attachments: are not taken by runtime "acp"'],
  ['are refused whole where one of them is bad', { attachments: [...FILES, { name: 'bad.bin', content: '###', encoding: 'base64' }] }, 'attachments[2]'],
  ['are refused whole where one is larger than it may be', { attachments: [...FILES, { name: 'large', content: 'x'.repeat(80_001) }] }, 'attachments[2]'],
  ['are refused whole where all together are', { attachments: [...FILES, { name: 'more', content: 'x'.repeat(79_000) }] }, 'attachments: '],
])('files %s, and nothing is written', async (_what, args, error) => {
  const opened = (gateway = await openInProcess({ tools: { sessions_spawn: { attachments: { maxFileBytes: 80_000, maxTotalBytes: 140_000 } } } }));
  expect(await opened.tool(PARENT, 'sessions_spawn', { task: 'look at them', ...args })).toMatchObject({ status: 'error', error: expect.stringContaining(error) as string });
  expect(filesOf(opened, 'attachments')).toEqual([]);
  expect((await opened.store.listEntries(ListEntriesRequest.create({ agentId: 'main', limit: 10 }))).encodedRows).toEqual([]);
}, LONG_MS);
