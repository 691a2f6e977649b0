import { headerOf, parseTranscriptLine } from './parse-line';
import { assembleContext } from '../compaction/assemble-context';
import { estimateLineTokens } from '../compaction/count-tokens';
import { JSON_DEPTH_MAX, TOO_DEEP_TEXT } from '../json';
import { injectedMessageLine, sessionHeaderLine, simpleMessageLine, userMessageLine } from './record';

const NOW_MS = Date.UTC(2026, 5, 1, 9);
const parse = (value: unknown, number = 2) => parseTranscriptLine(JSON.stringify(value), number);

describe('parseTranscriptLine', () => {
  it('reads the header with what it says', () => {
    const line = parseTranscriptLine(sessionHeaderLine({ sessionId: 's1', nowMs: NOW_MS, cwd: '~/demo', sessionKey: 'agent:main:main', parentSession: 's0' }), 1);
    expect(line).toMatchObject({ ok: true, kind: 'header', type: 'session', id: undefined, parentId: undefined, message: undefined });
    expect(headerOf(line)).toEqual({ version: 3, sessionId: 's1', sessionKey: 'agent:main:main', cwd: '~/demo', parentSession: 's0', atMs: NOW_MS });
  });

  it('takes a header without a version for version 1', () => {
    expect(headerOf(parse({ type: 'session', id: 's1', timestamp: 'never' }, 1))).toEqual({ version: 1, sessionId: 's1', sessionKey: undefined, cwd: undefined, parentSession: undefined, atMs: undefined });
    expect(headerOf(parse({ type: 'custom', id: 'x' }))).toBeUndefined();
  });

  it('reads the messages that this system writes', () => {
    const fields = { id: '0000000a', parentId: null, nowMs: NOW_MS, content: 'hi' };
    expect(parseTranscriptLine(userMessageLine(fields), 2)).toMatchObject({ ok: true, kind: 'native', type: 'message', id: '0000000a', parentId: null, role: 'user', atMs: NOW_MS, isSide: false });
    expect(parseTranscriptLine(injectedMessageLine({ ...fields, parentId: '00000009' }), 3)).toMatchObject({ parentId: '00000009', role: 'assistant', message: { stopReason: 'injected' } });
    expect(parseTranscriptLine(simpleMessageLine('user', 'hi', NOW_MS), 4)).toMatchObject({ ok: true, kind: 'simple', type: 'message', id: 'L4', parentId: undefined, role: 'user', atMs: NOW_MS });
  });

  it('gives lines of version 1 the ids of their places, and no parent', () => {
    expect(parse({ type: 'message', message: { role: 'user', content: 'hi' } }, 5)).toMatchObject({ id: 'L5', parentId: undefined, role: 'user' });
  });

  it('finds the first kept line of a compaction by id, and in version 1 by its place', () => {
    expect(parse({ type: 'compaction', id: 'c', parentId: 'b', summary: '…', firstKeptEntryId: 'b' })).toMatchObject({ firstKeptId: 'b' });
    expect(parse({ type: 'compaction', summary: '…', firstKeptEntryIndex: 3 }, 9)).toMatchObject({ firstKeptId: 'L4' });
    expect(parse({ type: 'compaction', summary: '…' })).toMatchObject({ firstKeptId: undefined });
  });

  it('reads the role of version 2 under its present name', () => {
    expect(parse({ type: 'message', id: 'a', parentId: null, message: { role: 'hookMessage', content: '' } })).toMatchObject({ role: 'custom' });
    expect(parse({ type: 'message', id: 'a', parentId: null, message: { role: 'constructor', content: '' } })).toMatchObject({ role: 'constructor' });
  });

  it('tells where a leaf line moves the leaf', () => {
    expect(parse({ type: 'leaf', id: 'x', parentId: 'b', targetId: 'a' })).toMatchObject({ movesLeafTo: 'a', id: 'x' });
    expect(parse({ type: 'leaf', id: 'x', parentId: 'b', targetId: null })).toMatchObject({ movesLeafTo: null });
    expect(parse({ type: 'message', id: 'x', parentId: 'b', targetId: 'a' })).toMatchObject({ movesLeafTo: undefined });
  });

  it('marks lines beside the branch', () => {
    expect(parse({ type: 'message', id: 'x', parentId: 'b', appendMode: 'side', message: { role: 'user', content: '' } })).toMatchObject({ isSide: true });
  });

  it('says why a line is no record, and keeps its number', () => {
    expect(parseTranscriptLine('  \r', 7)).toEqual({ ok: false, number: 7, why: 'blank' });
    expect(parseTranscriptLine('{"type":"mess', 7)).toEqual({ ok: false, number: 7, why: 'not-json' });
    for (const text of ['[]', 'null', '7', '"text"']) expect(parseTranscriptLine(text, 8)).toEqual({ ok: false, number: 8, why: 'not-an-object' });
  });

  it('accepts a byte order mark before the first line only', () => {
    expect(parseTranscriptLine('\uFEFF{"type":"session"}', 1).ok).toBe(true);
    expect(parseTranscriptLine('\uFEFF{"type":"session"}', 2).ok).toBe(false);
  });

  it('keeps an object of neither format, without an id', () => {
    expect(parse({ hello: 1 })).toMatchObject({ ok: true, kind: 'other', type: '', id: undefined, role: undefined });
  });

  it('takes the time of the message before the time of the line', () => {
    expect(parse({ type: 'message', id: 'a', parentId: null, timestamp: new Date(NOW_MS).toISOString(), message: { role: 'user', timestamp: NOW_MS - 5 } })).toMatchObject({ atMs: NOW_MS - 5 });
  });

  it('keeps what can be written as text again of a call that is nested without end', () => {
    const nested = `${'[{"a":'.repeat(50_000)}1${'}]'.repeat(50_000)}`;
    const line = parseTranscriptLine(`{"type":"message","id":"a","parentId":null,"message":{"role":"assistant","content":[{"type":"text","text":"reads"},{"type":"toolCall","id":"t","name":"read","arguments":{"deep":${nested},"path":"notes"}}]}}`, 2);
    if (!line.ok) throw new Error('it is a record');
    const shown = JSON.stringify(assembleContext([line]));
    expect(shown).toContain('"path":"notes"');
    expect(shown.split(TOO_DEEP_TEXT)).toHaveLength(2);
    expect(estimateLineTokens(line)).toBeLessThan(10 * JSON_DEPTH_MAX);
  });
});
