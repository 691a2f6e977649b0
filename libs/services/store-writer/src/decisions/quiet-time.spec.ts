import { FollowUp, InterSession, RunRequest, SpawnClaim } from '@sessions/contracts';
import fc from 'fast-check';
import type { OpenRun } from './open-run';
import { DEBOUNCE_MS_MAX, QUIETS_MAX, dueAtMs, freeFrom, quietFor } from './quiet-time';

const run = (runId: string, acceptedAtMs: number, more: Partial<OpenRun> = {}): OpenRun => ({ runId, state: 'queued', acceptedAtMs, sessionId: 's', attempt: 1, request: RunRequest.create({ runId }), mode: 'collect', ...more });
const waiting = (runId: string, acceptedAtMs: number, quietMs = 500, more: Partial<OpenRun> = {}): OpenRun => run(runId, acceptedAtMs, { quietMs, message: { recordId: runId, content: runId }, ...more });

it('asks for quiet where a message of a person waits, and nowhere else', () => {
  const asked = (more: object = {}) => ({ request: RunRequest.create({ runId: 'r' }), interrupts: false, ...more });
  expect(quietFor(asked(), { mode: 'collect', debounceMs: 500 })).toEqual({ quietMs: 500 });
  expect(quietFor(asked(), { mode: 'followup', debounceMs: 500 })).toEqual({ quietMs: 500 });
  expect(quietFor(asked(), { mode: 'steer', debounceMs: 500 })).toEqual({ quietMs: 500 });
  expect(quietFor(asked(), { mode: 'collect', debounceMs: 0 })).toEqual({});
  expect(quietFor(asked(), { mode: 'interrupt', debounceMs: 500 })).toEqual({});
  expect(quietFor(asked({ interrupts: true }), { mode: 'collect', debounceMs: 500 })).toEqual({});
  expect(quietFor(asked({ interSession: InterSession.create({ sourceTool: 'sessions_send' }) }), { mode: 'collect', debounceMs: 500 })).toEqual({});
  expect(quietFor(asked({ request: RunRequest.create({ runId: 'r', followUp: FollowUp.create({ kind: { $case: 'spawn', value: SpawnClaim.create({}) } }) }) }), { mode: 'collect', debounceMs: 500 })).toEqual({});
});

it.each([
  ['nothing is open', [], 1_000, 1_000],
  ['the first message of an idle session: its line is written', [run('a', 1_000, { messageId: 'a' })], 1_000, 1_000],
  ['one waited behind a turn that has ended', [waiting('a', 1_000)], 1_100, 1_500],
  ['its quiet went by while that turn ran', [waiting('a', 1_000)], 9_000, 1_500],
  ['each further message begins the quiet again', [waiting('a', 1_000), waiting('b', 1_400)], 1_450, 1_900],
  ['one that has joined another counts like any other', [waiting('a', 1_000, 500, { joins: 'b' }), waiting('b', 1_100), waiting('c', 1_200, 500, { joins: 'a' })], 1_250, 1_700],
  ['the longest quiet of those that wait', [waiting('a', 1_000, 3_000), waiting('b', 1_400)], 1_450, 4_000],
  ['one without a wish for quiet goes at once, whoever waits behind it', [run('a', 1_000, { message: { recordId: 'a', content: 'a' } }), waiting('b', 1_400)], 1_450, 1_450],
  ['one that was left out is not waited for', [waiting('x', 1_499, 500, { state: 'over' }), waiting('a', 1_000)], 1_499, 1_500],
  ['messages never stop: it is patient ten times its quiet', [waiting('a', 1_000, 500, { freeAtMs: 2_000 }), waiting('b', 6_999)], 7_000, 7_000],
  ['the clock was set back since: nothing waits for times to come', [waiting('a', 90_000)], 1_000, 0],
])('%s', (_what, runs, nowMs, dueMs) => {
  expect(dueAtMs(runs, nowMs)).toBe(dueMs);
});

it('is free from when others have ended, once, and only where it waits', () => {
  const [freed] = freeFrom([waiting('a', 1_000), waiting('b', 1_100)], 5_000);
  expect(freed).toMatchObject({ runId: 'a', freeAtMs: 5_000 });
  expect(freeFrom([freed as OpenRun], 6_000)).toEqual([freed]);
  const other = [run('a', 1_000, { messageId: 'a' }), waiting('b', 1_100)];
  expect(freeFrom(other, 5_000)).toBe(other);
});

it('waits no longer than the last quiet, and never beyond its patience, whatever comes when', () => {
  const quiet = fc.integer({ min: 1, max: DEBOUNCE_MS_MAX });
  fc.assert(
    fc.property(fc.array(fc.record({ atMs: fc.integer({ min: 0, max: 1_000_000 }), quietMs: quiet }), { minLength: 1, maxLength: 20 }), fc.integer({ min: 0, max: 1_000_000 }), (messages, nowMs) => {
      const runs = freeFrom(messages.map(({ atMs, quietMs }, at) => waiting(String(at), atMs, quietMs)), nowMs);
      const dueMs = dueAtMs(runs, nowMs);
      const longest = Math.max(...messages.map(({ quietMs }) => quietMs));
      expect(dueMs).toBeLessThanOrEqual(nowMs + longest);
      expect(dueMs).toBeLessThanOrEqual(nowMs + QUIETS_MAX * (messages[0]?.quietMs ?? 0));
      // A later look at the same runs never finds them due later: it ends.
      expect(dueAtMs(runs, Math.max(nowMs, dueMs))).toBeLessThanOrEqual(Math.max(nowMs, dueMs) + longest);
      if (messages.every(({ atMs }) => atMs <= nowMs)) expect(dueAtMs(runs, dueMs < nowMs ? nowMs : dueMs)).toBe(dueMs);
    }),
  );
});
