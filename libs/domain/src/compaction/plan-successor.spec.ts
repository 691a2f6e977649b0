import fc from 'fast-check';
import type { JsonObject } from '../json';
import { assistant, branchOf, brokenConversations, nativeLines, parseLines, toolCall, toolConversations, toolResult, userText } from '../testing/tool-arbitraries';
import { nativeTranscripts } from '../testing/transcript-arbitraries';
import { activeBranch } from '../transcript/active-branch';
import { lineLinks } from '../transcript/line-links';
import type { ParsedLine, TranscriptLine } from '../transcript/parse-line';
import { safePlaces } from '../transcript/structure';
import { assembleContext } from './assemble-context';
import { STATE_BYTES_MAX, isStateType, planSuccessor, tailLine, type HeadLine, type SuccessorPlan, type TailLine } from './plan-successor';
import { rewriteLine } from './plan-truncation';

const SUMMARY_ID = 'sum00001';
const SUMMARY = { type: 'compaction', id: SUMMARY_ID, timestamp: '2026-06-01T09:00:00.000Z', summary: 'in short', tokensBefore: 1, details: {}, fromHook: false };
const HEADER = JSON.stringify({ type: 'session', version: 3, id: 'next', parentSession: 'generated' });

interface Case {
  readonly lines: readonly string[];
  readonly cutId?: string | undefined;
  /** Default: the tip. */
  readonly snapshotTipId?: string | undefined;
  readonly keepIds?: readonly string[];
}

interface Successor {
  readonly plan: SuccessorPlan;
  readonly lines: readonly string[];
}

/** As the owner does it: the branch up to the cut, then every line from there. */
function successor({ lines, cutId, snapshotTipId, keepIds = [] }: Case): Successor {
  const parsed = parseLines(lines);
  const { path, leafId } = activeBranch(parsed);
  const tip = snapshotTipId ?? path.at(-1)?.id ?? '';
  const at = path.findIndex(({ id }) => id === (cutId ?? tip));
  const before = path.slice(0, cutId === undefined ? at + 1 : at);
  const from = cutId === undefined ? (path[at]?.number ?? 0) : (path[at]?.number ?? 1) - 1;
  const head = before.filter(({ type }) => isStateType(type)).map(({ number, type, id }): HeadLine => ({ number, type, id, bytes: Buffer.byteLength(lines[number - 1] ?? '') }));
  const tail = parsed.slice(from).flatMap((line): TailLine[] => {
    const links = lineLinks(line);
    return links === undefined ? [] : [tailLine(links, line.ok ? line : undefined)];
  });
  const plan = planSuccessor({ head, tail, cutId, snapshotTipId: tip, leafId, summaryId: SUMMARY_ID, keepIds: new Set(keepIds) });
  if (!plan.ok) return { plan, lines };
  const { parentId, firstKeptEntryId } = plan;
  const kept = [...plan.state, ...plan.tail].map(({ number, rewrite }) => (rewrite === undefined ? (lines[number - 1] ?? '') : rewriteLine(lines[number - 1] ?? '', rewrite)));
  return { plan, lines: [HEADER, ...kept, JSON.stringify({ ...SUMMARY, parentId, firstKeptEntryId })] };
}

/** What the file would be without a successor: the summary appended. */
function grown({ lines, cutId, snapshotTipId }: Case): readonly string[] {
  const { path } = activeBranch(parseLines(lines));
  const tip = snapshotTipId ?? path.at(-1)?.id;
  const firstKeptEntryId = cutId ?? path[path.findIndex(({ id }) => id === tip) + 1]?.id ?? SUMMARY_ID;
  return [...lines, JSON.stringify({ ...SUMMARY, parentId: path.at(-1)?.id ?? null, firstKeptEntryId })];
}

const contextOf = (lines: readonly string[]) => assembleContext(activeBranch(parseLines(lines)).path);
const idsOf = (lines: readonly string[]): readonly unknown[] => lines.map((line) => (JSON.parse(line) as { id?: unknown }).id);
const isRecord = (line: ParsedLine): line is TranscriptLine => line.ok && line.kind !== 'header';

/** Header first, parents of all lines before them, one chain to the summary. */
function expectWhole(lines: readonly string[]): void {
  const parsed = parseLines(lines);
  expect(parsed[0]).toMatchObject({ kind: 'header' });
  const seen = new Set<unknown>();
  for (const line of parsed.filter(isRecord)) {
    if (line.parentId !== null) expect([line.id, seen.has(line.parentId)]).toEqual([line.id, true]);
    seen.add(line.id);
  }
  const { leafId, brokenAt } = activeBranch(parsed);
  expect({ leafId, brokenAt }).toEqual({ leafId: SUMMARY_ID, brokenAt: [] });
}

/** Places where a cut may be made, the first line and the end left out. */
const cutsOf = (lines: readonly string[]): readonly string[] => {
  const path = activeBranch(parseLines(lines)).path;
  const safe = safePlaces(path);
  return path.flatMap(({ id, type }, at) => (at > 0 && safe[at] === true && id !== undefined && type !== 'compaction' ? [id] : []));
};

describe('the successor of a compacted transcript', () => {
  it('shows a model what the grown file would, wherever it is cut and the snapshot was', () => {
    fc.assert(
      fc.property(fc.oneof(toolConversations, brokenConversations), fc.nat(), fc.nat(), (messages, cutAt, tipAt) => {
        const lines = nativeLines(messages);
        const path = branchOf(lines);
        if (path.length < 2) return;
        const places = [...cutsOf(lines), undefined];
        const cutId = places[cutAt % places.length];
        const first = cutId === undefined ? 0 : path.findIndex(({ id }) => id === cutId);
        const snapshotTipId = path[first + (tipAt % (path.length - first))]?.id;
        const made = successor({ lines, cutId, snapshotTipId });
        expect(made.plan.ok).toBe(true);
        expectWhole(made.lines);
        if (made.plan.ok && made.plan.droppedIds.length > 0) return;
        expect(contextOf(made.lines)).toEqual(contextOf(grown({ lines, cutId, snapshotTipId })));
        // Every line of the tail, once, in order, and of the same bytes but for its parent.
        const kept = path.slice(cutId === undefined ? path.findIndex(({ id }) => id === snapshotTipId) + 1 : first);
        const found = parseLines(made.lines).filter(isRecord).slice(0, -1);
        expect(found.map(({ value }) => ({ ...value, parentId: 0 }))).toEqual(kept.map(({ value }) => ({ ...value, parentId: 0 })));
      }),
    );
  });

  it('is whole for any native transcript, or is not made', () => {
    let made = 0;
    fc.assert(
      fc.property(nativeTranscripts, fc.nat(), ({ lines }, cutAt) => {
        const cuts = cutsOf(lines);
        const cutId = cuts.length === 0 ? undefined : cuts[cutAt % cuts.length];
        const found = successor({ lines, cutId });
        if (!found.plan.ok) return;
        made += 1;
        const parsed = parseLines(found.lines);
        expect(activeBranch(parsed).leafId).toBe(SUMMARY_ID);
        if (found.plan.droppedIds.length === 0) expect(contextOf(found.lines)).toEqual(contextOf(grown({ lines, cutId })));
      }),
    );
    expect(made).toBeGreaterThan(20);
  });

  it('begins with the state that held at the cut, the newest of each kind, and what plug-ins noted', () => {
    const record = (id: string, parentId: string | null, more: JsonObject): string => JSON.stringify({ id, parentId, ...more });
    const lines = [
      JSON.stringify({ type: 'session', version: 3, id: 'generated' }),
      record('m1', null, { type: 'model_change', provider: 'a', modelId: 'old' }),
      record('c1', 'm1', { type: 'custom', customType: 'note', data: 1 }),
      record('m2', 'c1', { type: 'model_change', provider: 'a', modelId: 'new' }),
      record('t1', 'm2', { type: 'thinking_level_change', thinkingLevel: 'low' }),
      record('u1', 't1', { type: 'message', message: userText('first') }),
      record('k1', 'u1', { type: 'label', targetId: 'u1', label: 'here' }),
      record('u2', 'k1', { type: 'message', message: userText('second') }),
      record('t2', 'u2', { type: 'thinking_level_change', thinkingLevel: 'high' }),
      record('k2', 't2', { type: 'label', targetId: 'u1', label: 'there' }),
      record('k3', 'k2', { type: 'label', targetId: 'u2', label: 'and there' }),
    ];
    const made = successor({ lines, cutId: 'u2' });
    expectWhole(made.lines);
    // The later thinking level is in the tail; a label of what is gone marks nothing.
    expect(idsOf(made.lines)).toEqual(['next', 'c1', 'm2', 'u2', 't2', 'k3', SUMMARY_ID]);
    const hard = successor({ lines });
    expectWhole(hard.lines);
    expect(idsOf(hard.lines)).toEqual(['next', 'c1', 'm2', 't2', SUMMARY_ID]);
    expect(hard.plan).toMatchObject({ firstKeptEntryId: SUMMARY_ID });
  });

  it('takes of a plug-in\'s notes no more than the bound, the newest', () => {
    const notes = Array.from({ length: 5 }, (_, at) => JSON.stringify({ type: 'custom', id: `c${String(at)}`, parentId: at === 0 ? null : `c${String(at - 1)}`, customType: 'n', data: 'x'.repeat(STATE_BYTES_MAX / 3) }));
    const lines = [HEADER, ...notes, JSON.stringify({ type: 'message', id: 'u1', parentId: 'c4', message: userText('now') })];
    expect(idsOf(successor({ lines, cutId: 'u1' }).lines)).toEqual(['next', 'c3', 'c4', 'u1', SUMMARY_ID]);
  });

  it('keeps what stands beside the branch, and earlier summaries only in the new one', () => {
    const message = (id: string, parentId: string | null, more: JsonObject = {}): string => JSON.stringify({ type: 'message', id, parentId, message: userText(id), ...more });
    const lines = [
      HEADER,
      message('a', null),
      message('b', 'a'),
      message('side', 'a', { appendMode: 'side' }),
      JSON.stringify({ type: 'compaction', id: 'old', parentId: 'b', summary: 'earlier', firstKeptEntryId: 'b' }),
      message('c', 'old'),
      'not json',
      message('d', 'c'),
    ];
    const made = successor({ lines, cutId: 'b' });
    expect(made.lines.slice(1, -1).map((line) => (line === 'not json' ? line : (JSON.parse(line) as { id: string; parentId: unknown })))).toMatchObject([{ id: 'b', parentId: null }, { id: 'side', parentId: null }, { id: 'c', parentId: 'b' }, 'not json', { id: 'd', parentId: 'c' }]);
    expect(contextOf(made.lines)).toEqual(contextOf(grown({ lines, cutId: 'b' })));
  });

  describe('leaves out a repeated attempt', () => {
    const LONG = 'Please look at the log of the last night.';
    const at = (text: string, seconds: number): JsonObject => ({ ...userText(text), timestamp: 1_780_000_000_000 + seconds * 1_000 });
    const texts = (messages: readonly JsonObject[], more: Partial<Case> = {}): readonly unknown[] => {
      const lines = nativeLines([userText('before'), ...messages]);
      const made = successor({ lines, cutId: '00000002', ...more });
      expectWhole(made.lines);
      return idsOf(made.lines).slice(1, -1);
    };

    it('of a long message, said again to the letter within a minute', () => {
      expect(texts([at(LONG, 0), at(LONG, 20), at(LONG, 79), assistant('yes')])).toEqual(['00000002', '00000005']);
      expect(texts([at(LONG, 0), assistant('', [], 'error'), at(LONG, 20), assistant('yes')])).toEqual(['00000002', '00000003', '00000005']);
    });

    it.each([
      ['a short one', [at('again', 0), at('again', 1)]],
      ['another spelling', [at(LONG, 0), at(`${LONG} `, 1)]],
      ['a minute later', [at(LONG, 0), at(LONG, 61)]],
      ['what was answered', [at(LONG, 0), assistant('done'), at(LONG, 2)]],
      ['one with an image', [at(LONG, 0), { ...at(LONG, 1), content: [{ type: 'text', text: LONG }, { type: 'image', data: '', mimeType: 'image/png' }] }]],
    ])('but not %s', (_what, messages) => {
      expect(texts([...messages, assistant('end')])).toHaveLength(messages.length + 1);
    });

    it('and never one that came since, or that a turn is about', () => {
      const messages = [at(LONG, 0), at(LONG, 1), at(LONG, 2), assistant('end')];
      expect(texts(messages, { snapshotTipId: '00000002' })).toHaveLength(4);
      expect(texts(messages, { keepIds: ['00000003', '00000004'] })).toHaveLength(4);
    });
  });

  it.each<[string, readonly string[], string | undefined]>([
    ['of the tutorial\'s format', ['{"role":"user","content":"a"}', '{"role":"user","content":"b"}'], 'L2'],
    ['whose lines have no ids', [HEADER, JSON.stringify({ type: 'message', message: userText('a') }), JSON.stringify({ type: 'message', message: userText('b') })], 'L3'],
  ])('is not made of a transcript %s', (_what, lines, cutId) => {
    expect(successor({ lines, cutId }).plan).toEqual({ ok: false, reason: 'lines without ids' });
  });

  it('is not made where the branch has left the snapshot', () => {
    const lines = [...nativeLines([userText('a'), userText('b'), userText('c')]), JSON.stringify({ type: 'leaf', id: 'l', parentId: '00000003', targetId: '00000001' })];
    const tail = parseLines(lines).slice(2).flatMap((line) => (line.ok ? [tailLine(lineLinks(line) as never, line)] : []));
    const asked = { head: [], tail, cutId: '00000002', snapshotTipId: '00000003', leafId: '00000001', summaryId: SUMMARY_ID, keepIds: new Set<string>() };
    expect(planSuccessor(asked).ok).toBe(false);
    expect(planSuccessor({ ...asked, snapshotTipId: 'gone' })).toEqual({ ok: false, reason: 'snapshot left the branch' });
  });

  it('keeps calls with their results', () => {
    const lines = nativeLines([userText('a'), assistant('', [toolCall('1')]), toolResult('1'), userText('b'), assistant('', [toolCall('2')])]);
    expect(idsOf(successor({ lines, cutId: '00000004' }).lines)).toEqual(['next', '00000004', '00000005', SUMMARY_ID]);
  });
});
