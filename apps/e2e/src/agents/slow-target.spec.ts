/**
 * A target that thinks for a second or for half an hour: the sender has a ticket at once, every claim on the run is kept
 * meanwhile, and the answer is collected later, in spite of a restart of everything in between. Time
 * is moved by hand; nothing here waits for it.
 */
import { ListPendingRequest } from '@sessions/contracts';
import type { PendingTurn } from '@sessions/contracts';
import { createManualClock } from '@sessions/host/testing';
import { waitUntil } from '../support/wait-until';
import { openInProcess } from './gateway-in-process';
import type { GatewayInProcess } from './gateway-in-process';

const MINUTE_MS = 60_000;
const STEP_MS = 5_000;
const LITTLE_MS = 500;
/** A claim lasts a minute and is renewed every ten seconds: less than this left means that a renewal is on its way. */
const CLAIM_LEFT_MS = 45_000;
const LONG_MS = 240_000;
const SENDER = 'agent:main:main';
const TARGET = 'agent:main:thinker';

describe('a message to a session that thinks for long', () => {
  const clock = createManualClock(Date.UTC(2026, 0, 1));
  let gateway: GatewayInProcess;
  afterEach(() => gateway.stop());

  /** Lets time pass by little, and what is ready happen between: calls have deadlines of a few seconds. */
  const pass = async (spanMs: number): Promise<void> => {
    for (let passedMs = 0; passedMs < spanMs; passedMs += LITTLE_MS) {
      await clock.advance(LITTLE_MS);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  const openTurns = async (): Promise<readonly PendingTurn[]> => (await gateway.store.listPending(ListPendingRequest.create({ agentId: 'main', kinds: ['turn'] }))).turns;
  /** Lets time pass, as slowly as the claims on what runs are renewed. */
  const think = async (spanMs: number): Promise<void> => {
    for (let passedMs = 0; passedMs < spanMs; passedMs += STEP_MS) {
      await pass(Math.min(STEP_MS, spanMs));
      await waitUntil('the claim is renewed', async () => {
        const turns = await openTurns();
        expect(turns).toHaveLength(1);
        return turns.every(({ claimEndsAtMs = 0 }) => claimEndsAtMs - clock.nowMs() >= CLAIM_LEFT_MS) ? true : undefined;
      }, LONG_MS);
    }
  };
  /** Lets time pass until it is so. */
  const until = (what: string, holds: () => boolean | Promise<boolean>): Promise<true> =>
    waitUntil(what, async () => {
      if (await holds()) return true;
      await pass(1_000);
      return undefined;
    }, LONG_MS);

  it.each([
    ['a second', 1_000, false],
    ['a minute, with a restart of everything in between', MINUTE_MS, true],
    ['half an hour', 30 * MINUTE_MS, false],
    ['half an hour, with a restart of everything in between', 30 * MINUTE_MS, true],
  ])('is answered after %s', async (_how, spanMs, restarts) => {
    gateway = await openInProcess({ tools: { sessions: { visibility: 'agent' } }, session: { agentToAgent: { maxPingPongTurns: 0 } } }, { clock });
    let answer = (): void => undefined;
    const thought = new Promise<void>((resolve) => (answer = resolve));
    gateway.model.answer = () => ({ after: thought, chunks: ['forty-two'] });
    const beganAtMs = clock.nowMs();
    // Time stands still and the model says nothing: the ticket cannot have waited for either.
    const ticket = await gateway.tool(SENDER, 'sessions_send', { sessionKey: TARGET, message: 'think long', timeoutSeconds: 0 });
    expect(ticket).toMatchObject({ status: 'accepted', runId: expect.any(String), sessionKey: TARGET });
    expect(clock.nowMs()).toBe(beganAtMs);
    await until('the model is asked', () => gateway.model.asked.length === 1);
    await think(spanMs / 2);
    if (restarts) {
      await gateway.restart();
      await until('the model is asked anew', () => gateway.model.asked.length === 2);
    }
    await think(spanMs / 2);
    expect(clock.nowMs() - beganAtMs).toBeGreaterThanOrEqual(spanMs);
    const early = await gateway.tool(SENDER, 'sessions_send', { runId: ticket['runId'], timeoutSeconds: 0 });
    expect(early).not.toHaveProperty('reply');
    answer();
    await until('the turn ends', async () => (await openTurns()).length === 0);
    if (restarts) await gateway.restart();
    expect(await gateway.tool(SENDER, 'sessions_send', { runId: ticket['runId'], timeoutSeconds: 0 })).toMatchObject({ status: 'ok', reply: 'forty-two', runId: ticket['runId'] });
    expect(gateway.model.asked).toHaveLength(restarts ? 2 : 1);
  }, LONG_MS);
});
