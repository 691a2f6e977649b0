import {
  AgentRuntimeService,
  CALL_HEADER,
  CompactionServiceService,
  MaintenanceServiceService,
  RouterServiceService,
  StoreServiceService,
} from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import type { MethodShape } from './bus';
import {
  MUTATION_DEADLINE_MS,
  READ_DEADLINE_MS,
  STREAM_DEADLINE_MS,
  defaultDeadlineMs,
  isRead,
  retryDelayMs,
  sleep,
  timeoutFromHeaders,
  timeoutToHeaders,
  withRetries,
} from './deadlines';
import { methodOfPath } from './subjects';
import { ManualClock, settle } from './testing';

describe('the usual deadline', () => {
  const services = [AgentRuntimeService, CompactionServiceService, MaintenanceServiceService, RouterServiceService, StoreServiceService];
  const methods: MethodShape[] = services.flatMap((service) => Object.values<MethodShape>(service));

  /** Unary methods that change something, run something, or wait for it. */
  const CHANGES = new Set([
    'SubmitMessage', 'AckDelivery', 'CreateSession', 'SendMessage', 'SteerSession', 'AbortRun', 'PatchSession', 'ResetSession', 'DeleteSession',
    'RestoreSession', 'EraseSession', 'CompactSession', 'KillSession', 'Cleanup', 'WaitRun', 'InvokeTool',
    'ClaimStore', 'Repair', 'Deliver', 'BeginTurn', 'AppendRecords', 'FinishTurn', 'CancelRun', 'PatchEntry', 'Erase', 'ForkSession', 'TruncateTranscript',
    'RequestCompaction', 'InstallCompaction', 'FailCompaction', 'ApplyMaintenance', 'RecordUsage', 'ClaimChild', 'ReleaseChild', 'PutChunk',
    'WriteAttachments', 'DropAttachments', 'AppendNotes', 'ImportSession', 'ResolveApproval', 'HandOver',
    'Compact', 'Cancel', 'SteerTurn', 'CancelTurn', 'ConfirmRecords', 'NoteTraceAgent', 'NoteTrajectory',
  ]);

  it('is that of a read or of a mutation for every unary method, as somebody decided for each', () => {
    const unary = methods.filter(({ responseStream }) => !responseStream);
    const undecided = unary.filter((method) => isRead(method) === CHANGES.has(methodOfPath(method.path)));
    expect(undecided.map(({ path }) => path)).toEqual([]);
    const names = new Set(unary.map(({ path }) => methodOfPath(path)));
    expect([...CHANGES].filter((name) => !names.has(name))).toEqual([]);
    for (const method of unary) expect([method.path, defaultDeadlineMs(method)]).toEqual([method.path, isRead(method) ? READ_DEADLINE_MS : MUTATION_DEADLINE_MS]);
  });

  it('is that of a read for what only lists, gets or looks up', () => {
    const looking = methods.filter(({ path, responseStream }) => !responseStream && /\/(List|Get|Preview|Search|Describe|Read|StoreInfo)/.test(path));
    expect(looking.filter((method) => !isRead(method)).map(({ path }) => path)).toEqual([]);
    expect(looking.map(({ path }) => path)).toEqual(expect.arrayContaining(['/sessions.v1.RouterService/ListSessionFiles', '/sessions.v1.RouterService/GetSessionFile']));
  });

  it('is ten minutes of silence for streams', () => {
    for (const method of methods.filter(({ responseStream }) => responseStream)) {
      expect(defaultDeadlineMs(method)).toBe(STREAM_DEADLINE_MS);
    }
  });
});

describe('the time left', () => {
  it('travels in whole milliseconds', () => {
    expect(timeoutFromHeaders(timeoutToHeaders(1500.9), 1)).toBe(1500);
    expect(timeoutFromHeaders(timeoutToHeaders(-5), 1)).toBe(0);
    expect(timeoutFromHeaders({}, 77)).toBe(77);
  });

  it.each(['', '-1', '1s', '1e3', '9'.repeat(20)])('is refused as %j', (text) => {
    expect(() => timeoutFromHeaders({ [CALL_HEADER.TIMEOUT]: text }, 1)).toThrow(CALL_HEADER.TIMEOUT);
  });
});

describe('trying again', () => {
  const passing = new SessionError('NOT_OWNER', 'moved');

  it('waits 100 ms, then four times as long each time, give or take a fifth', () => {
    expect([1, 2, 3].map((tried) => retryDelayMs(tried, 0.5))).toEqual([100, 400, 1600]);
    expect(retryDelayMs(1, 0)).toBe(80);
    expect(retryDelayMs(1, 0.999999)).toBe(120);
  });

  it('happens three times at most', async () => {
    const clock = new ManualClock();
    let tries = 0;
    const result = withRetries(
      () => {
        tries += 1;
        return Promise.reject(passing);
      },
      { clock, deadlineAtMs: clock.nowMs() + 10_000, random: () => 0.5 },
    ).catch((error: unknown) => error);
    await clock.advance(10_000);
    expect(await result).toBe(passing);
    expect(tries).toBe(4);
  });

  it('ends with the first success', async () => {
    const clock = new ManualClock();
    let tries = 0;
    const result = withRetries(
      async () => {
        tries += 1;
        if (tries < 3) throw passing;
        return 'done';
      },
      { clock, deadlineAtMs: clock.nowMs() + 10_000, random: () => 0.5 },
    );
    await clock.advance(500);
    expect(await result).toBe('done');
  });

  it.each(['VALIDATION', 'ENTRY_CHANGED', 'DAMAGED'] as const)('does not happen after %s', async (reason) => {
    let tries = 0;
    const attempt = () => {
      tries += 1;
      return Promise.reject(new SessionError(reason, 'no'));
    };
    const clock = new ManualClock();
    await expect(withRetries(attempt, { clock, deadlineAtMs: clock.nowMs() + 10_000, random: Math.random })).rejects.toMatchObject({ reason });
    expect(tries).toBe(1);
  });

  it('does not happen when its delay would pass the deadline', async () => {
    let tries = 0;
    const clock = new ManualClock();
    const attempt = () => {
      tries += 1;
      return Promise.reject(new SessionError('OVERLOADED', 'full', { retryAfterMs: 5_000 }));
    };
    await expect(withRetries(attempt, { clock, deadlineAtMs: clock.nowMs() + 4_000, random: () => 0.5 })).rejects.toMatchObject({ reason: 'OVERLOADED' });
    expect(tries).toBe(1);
  });
});

describe('sleeping', () => {
  it('ends early with the reason of its signal, and leaves no timer', async () => {
    const clock = new ManualClock();
    const leaving = new AbortController();
    const asleep = sleep(clock, 1000, leaving.signal).catch((error: unknown) => error);
    await settle();
    leaving.abort(new Error('left'));
    expect(await asleep).toEqual(new Error('left'));
    expect(clock.waiting).toBe(0);
  });
});
