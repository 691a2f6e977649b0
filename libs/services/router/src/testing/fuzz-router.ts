/** A router under hostile input: nothing crashes, nothing of a conversation is logged, no agent id leaves its grammar. */
import { createRecordingLogger } from '@sessions/host/testing';
import { FuzzValues, PLANTED } from './fuzz-values';
import { startRouter } from './router-harness';
import type { RunningRouter } from './router-harness';

/** SESS_FUZZ_INPUTS widens it, SESS_FUZZ_SEED repeats it. */
export const INPUTS = Number(process.env.SESS_FUZZ_INPUTS ?? 200);
const SEED = Number(process.env.SESS_FUZZ_SEED ?? Date.now() % 2 ** 31);
export const TIMEOUT_MS = 20_000 + INPUTS * 100;
export const HOOK_TOKEN = 'for-hooks';
const AT_A_TIME = 16;

export interface FuzzRouter {
  readonly running: RunningRouter;
  readonly values: FuzzValues;
  /** @throws what did not hold, with the seed */
  stop(): Promise<void>;
}

export async function startFuzzRouter(): Promise<FuzzRouter> {
  const logged = createRecordingLogger();
  const hooks = { enabled: true, token: HOOK_TOKEN, allowRequestSessionKey: true };
  const running = await startRouter({ hooks }, { logger: logged, grpcListen: { host: '127.0.0.1', port: 0 } });
  running.stores.put('main', 'agent:main:main', { sessionId: '0190aaaa-0000-7000-8000-000000000001', updatedAt: 1 }, [{ role: 'user', text: PLANTED }]);
  return {
    running,
    values: new FuzzValues(SEED),
    async stop() {
      const health = await fetch(`${running.url}/health`);
      const calls = [...running.stores.calls];
      await running.stop();
      const strange = calls.filter((call) => call !== 'listAgents' && !/^\w+ [a-z0-9][a-z0-9_-]{0,63}$/.test(call));
      const errors = logged.lines.filter(({ level }) => level === 'error');
      const leaks = logged.lines.filter((line) => JSON.stringify(line).includes(PLANTED));
      const broken = { status: health.status, errors, leaks, strange };
      if (JSON.stringify(broken) !== JSON.stringify({ status: 200, errors: [], leaks: [], strange: [] })) throw new Error(`seed ${SEED}: ${JSON.stringify(broken).slice(0, 4000)}`);
    },
  };
}

/** Several at a time, as many clients would. */
export async function times(count: number, work: (place: number) => Promise<void>): Promise<void> {
  let place = 0;
  const worker = async (): Promise<void> => {
    while (place < count) await work((place += 1));
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}

/** What a client lets stand in a header or an address; others send what is not in it over sockets of their own. */
export const oneLine = (text: string): string => Buffer.from(text).toString('latin1').replace(/[^\t\x20-\x7e\x80-\xff]/g, '');
