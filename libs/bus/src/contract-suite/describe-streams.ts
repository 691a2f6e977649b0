/** Streams of answers: what holds on every transport. */
import { StoreServiceService } from '@sessions/contracts';
import type { ReadTrajectoryResponse } from '@sessions/contracts';
import { GRPC_STATUS, SessionError } from '@sessions/domain';
import { createClient, serveService } from '../bind-service';
import type { Handlers } from '../bind-service';
import type { CallContext } from '../bus';
import { MAX_PAYLOAD_BYTES, STREAM_CREDIT } from '../limits';
import { createSubjects } from '../subjects';
import type { BusHarness, CreateHarness } from './harness';
import { deferred, reasonOf, refusal, until } from './harness';

const subjects = createSubjects('suite');
const subjectFor = (method: string) => subjects.store('main', method);
type ReadTrajectory = Handlers<typeof StoreServiceService>['readTrajectory'];

const item = (name: string | number): ReadTrajectoryResponse => ({ file: String(name), lines: [], unreadable: [] });
const request = { agentId: 'main', by: { $case: 'key' as const, value: 'agent:main:main' }, follow: true };

export function describeStreams(create: CreateHarness): void {
  describe('streams', () => {
    let harness: BusHarness;
    beforeEach(async () => (harness = await create()));
    afterEach(() => harness.close());

    const serve = (readTrajectory: ReadTrajectory) =>
      serveService(harness.bus, StoreServiceService, { readTrajectory }, { subjectFor });
    const open = (options: { signal?: AbortSignal; timeoutMs?: number } = {}) =>
      createClient(harness.bus, StoreServiceService, { subject: subjectFor, caller: 'service:test/1' })
        .readTrajectory(request, options);
    const names = async (answers: AsyncIterable<ReadTrajectoryResponse>) => {
      const all: string[] = [];
      for await (const { file } of answers) all.push(file);
      return all;
    };

    it('gives every answer in order, then ends', async () => {
      await serve(async function* () {
        for (let number = 1; number <= 500; number += 1) yield item(number);
      });
      expect(await names(open())).toEqual(Array.from({ length: 500 }, (_, place) => String(place + 1)));
    });

    it('ends at once for a handler that answers nothing', async () => {
      await serve(async function* () {});
      expect(await names(open())).toEqual([]);
    });

    it('gives what came before a refusal, then the refusal', async () => {
      await serve(async function* () {
        yield item('first');
        throw new SessionError('DAMAGED', 'a line cannot be read', { facts: { line: 7 } });
      });
      const reader = open()[Symbol.asyncIterator]();
      expect((await reader.next()).value).toMatchObject({ file: 'first' });
      const error = await refusal(reader.next());
      expect(error.reason).toBe('DAMAGED');
      expect(error.facts).toEqual({ line: 7 });
      expect((await reader.next()).done).toBe(true);
    });

    it('answers NO_OWNER when nobody serves the subject', async () => {
      expect(await reasonOf(open()[Symbol.asyncIterator]().next())).toBe('NO_OWNER');
    });

    it('asks the handler for no more than the credit while the reader waits', async () => {
      let made = 0;
      await serve(async function* () {
        for (;;) {
          made += 1;
          yield item(made);
        }
      });
      const reader = open()[Symbol.asyncIterator]();
      await reader.next();
      await until(() => made >= STREAM_CREDIT);
      await harness.settle();
      expect(made).toBeLessThanOrEqual(STREAM_CREDIT + 2);
      for (let read = 0; read < 100; read += 1) await reader.next();
      await harness.settle();
      expect(made).toBeLessThanOrEqual(101 + STREAM_CREDIT + 2);
      expect(made).toBeGreaterThan(100);
      await reader.return?.();
    });

    it('ends the server\'s side when the reader grants no credit', async () => {
      let context: CallContext | undefined;
      let cleaned = false;
      await serve(async function* (_request, given) {
        context = given;
        try {
          for (let number = 1; ; number += 1) yield item(number);
        } finally {
          cleaned = true;
        }
      });
      const reader = open()[Symbol.asyncIterator]();
      await reader.next();
      await harness.advance(harness.timing.streamCreditMs - 1 - harness.slackMs);
      expect(cleaned).toBe(false);
      await harness.advance(2 + 2 * harness.slackMs);
      await until(() => cleaned && context?.signal.aborted === true);
      const rest = async () => {
        for (let read = 0; read < 2 * STREAM_CREDIT; read += 1) await reader.next();
      };
      expect(await reasonOf(rest())).toBe('OVERLOADED');
    });

    it('does not end a stream whose reader is slow but reads', async () => {
      await serve(async function* () {
        for (let number = 1; number <= 40; number += 1) yield item(number);
      });
      let read = 0;
      for await (const answer of open()) {
        read += 1;
        expect(answer.file).toBe(String(read));
        await harness.advance(harness.timing.streamCreditMs / 2);
      }
      expect(read).toBe(40);
    });

    it('cancels the handler when the reader leaves the loop', async () => {
      let context: CallContext | undefined;
      let cleaned = false;
      await serve(async function* (_request, given) {
        context = given;
        try {
          for (let number = 1; ; number += 1) yield item(number);
        } finally {
          cleaned = true;
        }
      });
      for await (const { file } of open()) if (file === '3') break;
      await until(() => cleaned && context?.signal.aborted === true);
    });

    it('lets the reader leave while it waits for an answer', async () => {
      let context: CallContext | undefined;
      await serve(async function* (_request, given) {
        context = given;
        await new Promise(() => undefined);
        yield item('never');
      });
      const reader = open()[Symbol.asyncIterator]();
      const waiting = reader.next();
      await until(() => context !== undefined);
      await reader.return?.();
      expect((await waiting).done).toBe(true);
      await until(() => context?.signal.aborted === true);
    });

    it('rejects with the signal\'s reason when it is cancelled', async () => {
      const leaving = new AbortController();
      let context: CallContext | undefined;
      await serve(async function* (_request, given) {
        context = given;
        yield item('first');
        await new Promise(() => undefined);
      });
      const reader = open({ signal: leaving.signal })[Symbol.asyncIterator]();
      await reader.next();
      const waiting = reader.next().catch((error: unknown) => error);
      leaving.abort(new Error('left'));
      expect(await waiting).toEqual(new Error('left'));
      await until(() => context?.signal.aborted === true);
    });

    it('ends with DEADLINE after a long silence, and traffic renews the time', async () => {
      const gates = [deferred(), deferred(), deferred()];
      await serve(async function* () {
        for (const [place, gate] of gates.entries()) {
          await gate.promise;
          yield item(place);
        }
      });
      const reader = open({ timeoutMs: 400 })[Symbol.asyncIterator]();
      for (const gate of gates.slice(0, 2)) {
        const next = reader.next();
        await harness.advance(300);
        gate.resolve();
        expect((await next).done).toBe(false);
      }
      const last = reasonOf(reader.next());
      await harness.advance(500);
      expect(await last).toBe('DEADLINE');
    });

    it('notices a lost message instead of skipping it', async () => {
      await serve(async function* () {
        for (let number = 1; number <= 5; number += 1) yield item(number);
      });
      harness.loseStreamMessage(3);
      const reader = open()[Symbol.asyncIterator]();
      expect((await reader.next()).value).toMatchObject({ file: '1' });
      expect((await reader.next()).value).toMatchObject({ file: '2' });
      const error = await refusal(reader.next());
      expect(error.code).toBe(GRPC_STATUS.UNAVAILABLE);
      expect(error.facts).toMatchObject({ gap: true });
    });

    it('notices that the last message was lost', async () => {
      await serve(async function* () {
        yield item(1);
        yield item(2);
      });
      harness.loseStreamMessage(2);
      const reader = open()[Symbol.asyncIterator]();
      await reader.next();
      expect((await refusal(reader.next())).code).toBe(GRPC_STATUS.UNAVAILABLE);
    });

    it('refuses an answer above the size of a message, by name', async () => {
      await serve(async function* () {
        yield { ...item('x'), lines: [Buffer.alloc(MAX_PAYLOAD_BYTES + 1)] };
      });
      expect(await reasonOf(names(open()))).toBe('TOO_LARGE');
    });

    it('ends open streams when their service stops', async () => {
      const served = await serve(async function* () {
        yield item('first');
        await new Promise(() => undefined);
      });
      const reader = open()[Symbol.asyncIterator]();
      await reader.next();
      const next = reasonOf(reader.next());
      await served.stop();
      expect(await next).toBe('SHUTTING_DOWN');
    });
  });
}
