/**
 * What time does to sub-agents that a tool spawned: a run that takes longer than it may is ended and told
 * so, and the rows of those that ended stay for as long as they were asked to. Owner, runner, router and
 * scheduler are real; time is moved by hand.
 */
import { DescribeSessionRequest, ListPendingRequest, SessionRow } from '@sessions/contracts';
import { createManualClock } from '@sessions/host/testing';
import { waitUntil } from '../support/wait-until';
import { openInProcess } from './gateway-in-process';
import type { GatewayInProcess } from './gateway-in-process';
import { obedientModel } from './obedient-model';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const LONG_MS = 240_000;
/** Calls have deadlines of a few seconds, leases are renewed every seven. */
const LITTLE_MS = 500;
const SOME_MS = 5_000;
const PARENT = 'agent:main:main';

let gateway: GatewayInProcess | undefined;
afterEach(() => gateway?.stop(), LONG_MS);

function inTime(clock: ReturnType<typeof createManualClock>, opened: GatewayInProcess) {
  const pass = async (spanMs: number, stepMs = LITTLE_MS): Promise<void> => {
    for (let passedMs = 0; passedMs < spanMs; passedMs += stepMs) {
      await clock.advance(stepMs);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  return {
    pass,
    /** Lets time pass until it is so. */
    until: (what: string, holds: () => boolean | Promise<boolean>): Promise<true> =>
      waitUntil(what, async () => {
        if (await holds()) return true;
        await pass(LITTLE_MS);
        return undefined;
      }, LONG_MS),
    open: async (): Promise<number> => (await opened.store.listPending(ListPendingRequest.create({ agentId: 'main', kinds: ['turn'] }))).turns.length,
    /** Undefined: there is no such session. */
    row: (key: string): Promise<SessionRow | undefined> =>
      opened.router.describeSession(DescribeSessionRequest.create({ key })).then(({ encodedRow }) => (encodedRow === undefined ? undefined : SessionRow.decode(encodedRow)), (error: { reason?: string }) => {
        if (error.reason !== 'SESSION_NOT_FOUND') throw error as Error;
        return undefined;
      }),
  };
}

it('a run that takes longer than its spawn allows is aborted, and its parent hears once that it timed out', async () => {
  const clock = createManualClock(Date.UTC(2026, 0, 1));
  const opened = (gateway = await openInProcess({}, { clock }));
  const { pass, until, open, row } = inTime(clock, opened);
  opened.model.answer = obedientModel(({ message }) => (message.includes('count for ever') && !message.includes('Result of') ? { hangs: 'before' } : { chunks: ['NO_REPLY'] }));
  const spawned = await opened.tool(PARENT, 'sessions_spawn', { task: 'count for ever', label: 'counter', runTimeoutSeconds: 120 });
  expect(spawned).toMatchObject({ status: 'accepted' });
  await until('the model is asked', () => opened.model.open === 1);
  await pass(110_000);
  expect([await open(), opened.model.open]).toEqual([1, 1]);
  await until('the run ends', async () => (await open()) === 0);
  // Aborted, not left to itself: nobody listens to the model any more.
  await waitUntil('the model is left', () => (opened.model.open === 0 ? true : undefined));
  const child = await row(String(spawned['childSessionKey']));
  expect(child?.status).toBe('timeout');
  await until('the result has come', async () => JSON.stringify(await opened.tool(PARENT, 'sessions_history', { sessionKey: 'current' })).includes('Result of the sub-agent'));
  const { messages } = (await opened.tool(PARENT, 'sessions_history', { sessionKey: 'current' })) as unknown as { messages: { role: string }[] };
  const results = messages.filter(({ role }) => role === 'user').map((message) => JSON.stringify(message));
  expect(results).toHaveLength(1);
  expect(results[0]).toContain('Status: timed out');
}, LONG_MS);

it.each([
  ['stays for a day, though the scheduler looks every minute', false],
  ['is archived after an hour where that is asked for', true],
])('the row of a sub-agent that ended %s', async (_what, archiveKept) => {
  const clock = createManualClock(Date.UTC(2026, 0, 1));
  const opened = (gateway = await openInProcess({ session: { maintenance: { mode: 'enforce' } }, agents: { defaults: { model: { primary: 'local/small' }, subagents: { archiveKept } } } }, { clock, maintains: true }));
  const { pass, until, open, row } = inTime(clock, opened);
  opened.model.answer = obedientModel();
  const spawned = await opened.tool(PARENT, 'sessions_spawn', { task: 'say: done', label: 'kept' });
  const key = String(spawned['childSessionKey']);
  await until('the result has come and is answered', async () => (await open()) === 0 && JSON.stringify(await opened.tool(PARENT, 'sessions_history', { sessionKey: 'current' })).includes('Result of the sub-agent'));
  const endedAtMs = (await row(key))?.endedAtMs ?? Number.NaN;
  await pass(endedAtMs + HOUR_MS - MINUTE_MS - clock.nowMs(), SOME_MS);
  expect((await row(key))?.status).toBe('done');
  if (archiveKept) {
    await until('the row goes', async () => (await row(key)) === undefined);
    expect(clock.nowMs() - endedAtMs).toBeGreaterThanOrEqual(HOUR_MS);
    return;
  }
  await pass(endedAtMs + 24 * HOUR_MS + MINUTE_MS - clock.nowMs(), SOME_MS);
  expect(await row(key)).toMatchObject({ status: 'done', label: 'kept' });
}, LONG_MS);
