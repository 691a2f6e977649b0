import { ReplyRoute, RunRequest } from '@sessions/contracts';
import fc from 'fast-check';
import { activeRun, type OpenRun, type QueueMode } from './open-run';
import { acceptRun, type QueueSettings } from './queue-run';

const route = fc.constantFrom('1', '2').map((to) => ReplyRoute.create({ channel: 'telegram', to }));
const settings: fc.Arbitrary<QueueSettings> = fc.record({
  mode: fc.constantFrom<QueueMode>('steer', 'followup', 'collect', 'interrupt'),
  cap: fc.integer({ min: 1, max: 4 }),
  drop: fc.constantFrom('old' as const, 'new' as const, 'summarize' as const),
  debounceMs: fc.constantFrom(0, 500),
});

it('loses no message whatever the queue does: each run waits, has its line at once, or is over with a reason', () => {
  fc.assert(
    fc.property(settings, fc.array(fc.record({ replyRoute: route, senderId: fc.constantFrom('ann', 'bob', undefined), interrupts: fc.boolean(), begins: fc.boolean(), ends: fc.boolean() }), { maxLength: 20 }), (queue, messages) => {
      let runs: readonly OpenRun[] = [];
      const written = new Set<string>();
      const ended = new Set<string>();
      messages.forEach(({ replyRoute, senderId, interrupts, begins, ends }, at) => {
        const runId = `r${String(at)}`;
        const run: OpenRun = { runId, state: 'queued', acceptedAtMs: at, sessionId: 's', attempt: 1, request: RunRequest.create({ runId, deliver: true, replyRoute }), mode: queue.mode, ...(senderId === undefined ? {} : { senderId }), message: { recordId: runId, content: runId } };
        const accepted = acceptRun(runs, run, queue, interrupts, at);
        runs = accepted.runs;
        if (accepted.beginsNow) {
          written.add(runId);
          runs = runs.map((one) => (one.runId === runId ? { ...one, messageId: runId } : one));
        }
        for (const one of accepted.cancelled) {
          ended.add(one.run.runId);
          // Its message is in the transcript, or still to be written.
          expect(written.has(one.run.runId) || runs.some(({ runId: id, state }) => id === one.run.runId && state === 'over')).toBe(true);
        }
        for (const { joins } of runs) if (joins !== undefined) expect(runs.map((one) => one.runId)).toContain(joins);
        const active = activeRun(runs);
        expect(active).toBeDefined();
        expect(runs.filter(({ state }) => state === 'running').length).toBeLessThanOrEqual(1);
        if (accepted.position !== null) expect(accepted.position).toBeGreaterThan(0);
        if (begins && active?.state === 'queued' && active.messageId !== undefined) runs = runs.map((one) => (one === active ? { ...one, state: 'running' } : one));
        // The next one is active then, while its message still waits.
        if (ends && active?.state === 'running' && runs.some((one) => one.state === 'queued' && one.joins === undefined)) {
          ended.add(active.runId);
          runs = runs.filter((one) => one !== active);
        }
      });
      for (const [at] of messages.entries()) {
        const runId = `r${String(at)}`;
        expect(ended.has(runId) || runs.some((one) => one.runId === runId && one.state !== 'over')).toBe(true);
      }
      for (const { runId, joins, senderId, request } of runs) {
        if (joins === undefined) continue;
        const other = runs.find((one) => one.runId === joins && one.runId !== runId);
        // Nobody is given the answer to somebody else's message.
        expect({ senderId: other?.senderId, replyRoute: other?.request.replyRoute }).toEqual({ senderId, replyRoute: request.replyRoute });
      }
    }),
  );
});
