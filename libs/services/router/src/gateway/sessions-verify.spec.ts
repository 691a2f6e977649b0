import { Finding } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { startRouter } from '../testing/router-harness';
import type { RunningRouter } from '../testing/router-harness';

const TORN = Finding.create({ kind: 'torn-tail', path: 's-1.jsonl', key: 'agent:main:main', repair: 'cut-torn-tail', detail: 'half a line', wrong: true });
const NOTICE = Finding.create({ kind: 'unknown-name', path: 'notes.txt', repair: 'none', detail: 'a file that nothing explains' });
const SHOWN_TORN = { kind: 'torn-tail', key: 'agent:main:main', file: 's-1.jsonl', detail: 'half a line', repair: 'cut-torn-tail' };
const SHOWN_NOTICE = { kind: 'unknown-name', file: 'notes.txt', detail: 'a file that nothing explains', repair: 'none' };
const NO_COUNTS = { sessionsFileBytes: 0, transcriptBytes: 0, malformedLines: 0, archives: 0, archiveBytes: 0, orphans: 0, findingsOmitted: 0 };
const TOTALS = { ...NO_COUNTS, entries: 1, transcripts: 1, lines: 2, messages: 1 };
const PATH = '/state/agents/main/sessions/sessions.json';

let running: RunningRouter;
beforeEach(async () => {
  running = await startRouter();
  running.stores.put('main', 'agent:main:main', { sessionId: 's-1', updatedAt: 1 }, [{ role: 'user', text: 'hello' }]);
  running.stores.put('work', 'agent:work:main', { sessionId: 's-2', updatedAt: 2 });
  running.stores.plant('main', [TORN, NOTICE]);
});
afterEach(() => running.stop());

const ask = async (params?: object) => (await running.client()).request('sessions.verify', params);

describe('sessions.verify', () => {
  it('gives the report of one store in the form of the command', async () => {
    const { payload } = await ask({ agentId: 'main', deep: true });
    expect(payload).toEqual({ ok: false, stores: [{ agentId: 'main', path: PATH, ok: false, findings: [SHOWN_TORN, SHOWN_NOTICE], totals: TOTALS }] });
    expect(running.stores.calls).not.toContain('repair main');
  });

  it('looks at every store when no agent is named; a notice leaves a store in order', async () => {
    running.stores.plant('main', [NOTICE]);
    const { payload } = await ask();
    expect(payload).toMatchObject({ ok: true, stores: [{ agentId: 'main', ok: true, findings: [SHOWN_NOTICE] }, { agentId: 'work', ok: true, findings: [] }] });
  });

  it('repairs, and says what was done and what is left', async () => {
    const { payload } = await ask({ agentId: 'main', repair: true });
    const done = [{ do: 'cut-torn-tail', file: 's-1.jsonl', key: 'agent:main:main' }];
    expect(payload).toEqual({ ok: true, stores: [{ agentId: 'main', path: PATH, ok: true, findings: [SHOWN_NOTICE], totals: TOTALS, done }] });
    expect((await ask({ agentId: 'main' })).payload).toMatchObject({ ok: true, stores: [{ findings: [SHOWN_NOTICE] }] });
  });

  it('repairs every store, once each', async () => {
    expect((await ask({ repair: true })).payload).toMatchObject({ ok: true, stores: [{ agentId: 'main' }, { agentId: 'work', done: [] }] });
    expect(running.stores.calls.filter((call) => call.startsWith('repair'))).toEqual(['repair main', 'repair work']);
  });

  it('names the store that could not be looked at beside the others', async () => {
    running.stores.refuse('work', new SessionError('SESSION_LOCKED', 'another process has the store', { facts: { pid: 7 } }));
    const { payload } = await ask();
    expect(payload).toMatchObject({
      ok: false,
      stores: [{ agentId: 'main' }],
      refused: [{ agentId: 'work', path: '/state/agents/work/sessions/sessions.json', error: { message: 'another process has the store', details: { reason: 'SESSION_LOCKED', pid: 7 } } }],
    });
    expect(await ask({ agentId: 'work' })).toMatchObject({ ok: false, error: { details: { reason: 'SESSION_LOCKED' } } });
  });

  it('finds nothing for an agent without a store, and makes none', async () => {
    expect((await ask({ agentId: 'nobody' })).payload).toEqual({ ok: true, stores: [] });
    expect(running.stores.calls).not.toContain('claimStore nobody');
  });

  it('asks again after the owner was lost', async () => {
    await ask({ agentId: 'main' });
    await running.stores.loseOwner('main');
    expect((await ask({ agentId: 'main' })).payload).toMatchObject({ stores: [{ findings: [SHOWN_TORN, SHOWN_NOTICE] }] });
  });

  it('needs the scope of administrators, and a closed set of parameters', async () => {
    const writer = await running.client(['operator.write']);
    expect((await writer.request('sessions.verify', { agentId: 'main' })).error.message).toBe('missing scope: operator.admin');
    expect((await ask({ fix: true })).error.message).toContain("unexpected property 'fix'");
  });
});
