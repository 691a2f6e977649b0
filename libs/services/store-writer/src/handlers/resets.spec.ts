/** Resets that time brings about, through the whole service: 30 days on a clock that the test moves. */
import { mkdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { StoreServiceResetSessionRequest, GetEntryRequest, StoreServiceRestoreSessionRequest, type DeliverResponse } from '@sessions/contracts';
import { systemClock, type Clock } from '@sessions/host';
import { KEY, bench, cleanUpBenches, history, newStateDir, restart, sessionsDir, telegram, type Bench } from '../testing/writer-bench';

cleanUpBenches();

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START_MS = Date.UTC(2026, 2, 1, 12);

/** Timers run in real time; only what the clock shows is the test's. */
function shiftedClock(): Clock & { atMs: number } {
  return { ...systemClock, atMs: START_MS, nowMs() { return this.atMs; } };
}

const config = (reset: unknown, more: Record<string, unknown> = {}) => ({ session: { reset, ...more } });
const reasons = (made: Bench): string[] => made.events.flatMap(({ body }) => (body?.$case === 'changed' && body.value.reason === 'daily' ? [body.value.reason] : []));
const entry = async (made: Bench): Promise<Record<string, unknown>> => JSON.parse((await made.client.getEntry(GetEntryRequest.create({ agentId: 'main', by: { $case: 'key', value: KEY } }))).entryJson.toString('utf8')) as Record<string, unknown>;

describe('a reset by time', () => {
  it('comes with the first message after the hour, is stored and told, and can be undone', async () => {
    const clock = shiftedClock();
    const made = await bench({ clock, config: config({ mode: 'daily', atHour: 4, timeZone: 'UTC' }) });
    const first = await made.client.deliver(telegram('evening'));
    clock.atMs = Date.UTC(2026, 2, 2, 3, 59, 59, 999);
    expect((await made.client.deliver(telegram('late'))).reset).toBeUndefined();
    clock.atMs = Date.UTC(2026, 2, 2, 4);
    const after = await made.client.deliver(telegram('morning'));
    expect(after).toMatchObject({ status: 'accepted', created: false, messageSeq: 1, reset: { reason: 'daily', previousSessionId: first.sessionId } });
    expect(await entry(made)).toMatchObject({ sessionId: after.sessionId, previousSessionId: first.sessionId, lastResetReason: 'daily', lastResetAt: clock.atMs, sessionStartedAt: clock.atMs, usageFamilySessionIds: [first.sessionId, after.sessionId], lastChannel: 'telegram' });
    expect(reasons(made)).toEqual(['daily']);
    expect((await history(made)).texts).toEqual(['morning']);
    const back = await made.client.restoreSession(StoreServiceRestoreSessionRequest.create({ agentId: 'main', key: KEY }));
    expect(back.sessionId).toBe(first.sessionId);
    expect((await history(made)).texts).toEqual(['evening', 'late']);
  });

  it('leaves alone what runs, what never resets, heartbeats, and a page that names the session it shows', async () => {
    const clock = shiftedClock();
    const made = await bench({ clock, config: config({ mode: 'idle', idleMinutes: 10, timeZone: 'UTC' }) });
    const first = await made.client.deliver(telegram('a'));
    clock.atMs += HOUR_MS;
    const beat = telegram('beat');
    expect((await made.client.deliver({ ...beat, message: beat.message === undefined ? undefined : { ...beat.message, bookkeeping: true } })).sessionId).toBe(first.sessionId);
    expect((await made.client.deliver({ ...telegram('b'), presentedSessionId: first.sessionId })).sessionId).toBe(first.sessionId);
    const child = 'agent:main:subagent:1';
    const begun = await made.client.deliver(telegram('c', { key: child }));
    clock.atMs += HOUR_MS;
    expect((await made.client.deliver(telegram('d', { key: child }))).sessionId).toBe(begun.sessionId);
    expect((await made.client.deliver(telegram('e'))).reset?.reason).toBe('idle');
  });

  it('goes by the policy of the channel, else of the type', async () => {
    const clock = shiftedClock();
    const made = await bench({ clock, config: config({ mode: 'none' }, { resetByType: { group: { mode: 'idle', idleMinutes: 5 } }, resetByChannel: { telegram: { mode: 'idle', idleMinutes: 60 } } }) });
    const group = 'agent:main:slack:group:g';
    const place = (text: string) => ({ ...telegram(text, { key: group }), route: { ...telegram(text, { key: group }).route, channel: 'slack', agentId: 'main', sessionKey: group, matchedBy: 'default', originKind: 'channel' } }) as ReturnType<typeof telegram>;
    await made.client.deliver(telegram('a'));
    await made.client.deliver(place('a'));
    clock.atMs += 10 * 60_000;
    expect((await made.client.deliver(telegram('b'))).reset).toBeUndefined();
    expect((await made.client.deliver(place('b'))).reset?.reason).toBe('idle');
  });

  it('takes the start of a session that its entry does not say from the transcript, once', async () => {
    const clock = shiftedClock();
    const stateDir = newStateDir();
    mkdirSync(sessionsDir(stateDir), { recursive: true });
    const begun = (key: string, sessionId: string, atMs: number): [string, unknown] => {
      writeFileSync(path.join(sessionsDir(stateDir), `${sessionId}.jsonl`), `${JSON.stringify({ type: 'session', version: 3, id: sessionId, timestamp: new Date(atMs).toISOString() })}\n${JSON.stringify({ type: 'message', id: 'aaaaaaaa', parentId: null, message: { role: 'user', content: 'x' } })}\n`);
      return [key, { sessionId, updatedAt: START_MS - HOUR_MS }];
    };
    const fresh = 'agent:main:telegram:direct:2';
    writeFileSync(path.join(sessionsDir(stateDir), 'sessions.json'), JSON.stringify(Object.fromEntries([begun(KEY, 's-old', START_MS - 2 * DAY_MS), begun(fresh, 's-young', START_MS - 2 * HOUR_MS)])));
    const made = await bench({ stateDir, clock, config: config({ mode: 'daily', atHour: 4, timeZone: 'UTC' }) });
    expect((await made.client.deliver(telegram('a'))).reset).toEqual({ reason: 'daily', previousSessionId: 's-old' });
    expect(await made.client.deliver(telegram('a', { key: fresh }))).toMatchObject({ sessionId: 's-young', reset: undefined, messageSeq: 2 });
    const { entryJson } = await made.client.getEntry(GetEntryRequest.create({ agentId: 'main', by: { $case: 'key', value: fresh } }));
    expect(JSON.parse(entryJson.toString('utf8'))).toMatchObject({ sessionStartedAt: START_MS - 2 * HOUR_MS });
  });

  it('happens once for messages that arrive together, and none of them is lost', async () => {
    const clock = shiftedClock();
    const made = await bench({ clock, config: config({ mode: 'daily', atHour: 4, timeZone: 'UTC' }) });
    await made.client.deliver(telegram('old'));
    clock.atMs += DAY_MS;
    const sent = await Promise.all(Array.from({ length: 20 }, (_, n) => made.client.deliver(telegram(`m${String(n)}`))));
    expect(sent.filter(({ reset }) => reset !== undefined)).toHaveLength(1);
    expect(new Set(sent.map(({ sessionId }) => sessionId)).size).toBe(1);
    expect((await history(made)).texts.sort()).toEqual(sent.map((_, n) => `m${String(n)}`).sort());
  });

  it('comes as often as the policy says in 30 days of messages, reconnects, restarts and changes of the model', async () => {
    const clock = shiftedClock();
    const settings = config({ mode: 'daily', atHour: 4, idleMinutes: 600, timeZone: 'UTC' });
    let made = await bench({ clock, config: settings });
    let startedAtMs = 0;
    let lastAtMs = 0;
    let shownId: string | undefined;
    let kept = 0;
    const wanted: string[] = [];
    const got: string[] = [];
    const note = ({ reset }: DeliverResponse): void => void (reset !== undefined && got.push(`${reset.reason} ${String(clock.atMs)}`));
    for (let step = 0; clock.atMs < START_MS + 30 * DAY_MS; step += 1) {
      // Written beside the code under test: the last 04:00 UTC, and 600 minutes.
      const boundaryMs = Math.floor((clock.atMs - 4 * HOUR_MS) / DAY_MS) * DAY_MS + 4 * HOUR_MS;
      const isDaily = startedAtMs > 0 && startedAtMs < boundaryMs;
      const isIdle = startedAtMs > 0 && clock.atMs - lastAtMs > 600 * 60_000;
      // A page that connects again names the session that it shows: that one send keeps it.
      const isReconnect = step % 5 === 2;
      if (isReconnect && (isDaily || isIdle)) kept += 1;
      if (!isReconnect && (isDaily || isIdle)) {
        const nextBoundaryMs = Math.floor((startedAtMs - 4 * HOUR_MS) / DAY_MS) * DAY_MS + DAY_MS + 4 * HOUR_MS;
        wanted.push(`${isDaily && (!isIdle || nextBoundaryMs <= lastAtMs + 600 * 60_000) ? 'daily' : 'idle'} ${String(clock.atMs)}`);
      }
      if (startedAtMs === 0 || (!isReconnect && (isDaily || isIdle))) startedAtMs = clock.atMs;
      lastAtMs = clock.atMs;
      const answer = await made.client.deliver({ ...telegram(`m${String(step)}`), ...(isReconnect ? { presentedSessionId: shownId } : {}) });
      shownId = answer.sessionId;
      note(answer);
      if (step % 7 === 3) note(await made.client.deliver(telegram('/model openai/gpt-x')));
      if (step % 11 === 5) made = await restart(made, { clock, config: settings });
      clock.atMs += ((step * 7919) % 13) * HOUR_MS + 17 * 60_000;
    }
    expect(wanted.length).toBeGreaterThan(25);
    expect(kept).toBeGreaterThan(3);
    expect(got).toEqual(wanted);
    expect(await entry(made)).toMatchObject({ modelOverride: 'gpt-x', providerOverride: 'openai' });
  });

  it('does not happen where a reset was asked for meanwhile', async () => {
    const clock = shiftedClock();
    const made = await bench({ clock, config: config({ mode: 'daily', atHour: 4, timeZone: 'UTC' }) });
    await made.client.deliver(telegram('a'));
    clock.atMs += DAY_MS;
    const asked = await made.client.resetSession(StoreServiceResetSessionRequest.create({ agentId: 'main', key: KEY, reason: 'reset' }));
    expect(await made.client.deliver(telegram('b'))).toMatchObject({ sessionId: asked.sessionId, reset: undefined });
  });
});
