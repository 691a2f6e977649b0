import { ReadHistoryResponse, StoreServiceService } from '@sessions/contracts';
import { SessionError } from '@sessions/domain';
import { createClient, serveService } from './bind-service';
import { createInProcessBus } from './inproc/create-in-process-bus';
import { createSubjects } from './subjects';
import { traceBus, type BusTracer } from './traced-bus';

interface Span {
  readonly kind: string;
  readonly name: string;
  readonly parent: string | undefined;
  readonly own: string;
  error: unknown;
  ended: boolean;
}

function recording(): { tracer: BusTracer; spans: Span[] } {
  const spans: Span[] = [];
  return {
    spans,
    tracer: {
      begin(kind, name, parent) {
        const span: Span = { kind, name, parent: parent.traceparent, own: `span-${spans.length}`, error: undefined, ended: false };
        spans.push(span);
        return {
          context: { traceparent: span.own, tracestate: parent.tracestate },
          end(error) {
            span.error = error;
            span.ended = true;
          },
        };
      },
    },
  };
}

const request = { agentId: 'main' };

describe('a traced bus', () => {
  it('is the bus itself without a tracer', () => {
    const bus = createInProcessBus();
    expect(traceBus(bus, undefined)).toBe(bus);
  });

  it('joins the span of a call with that of its service, answered, refused or left early', async () => {
    const { tracer, spans } = recording();
    const bus = traceBus(createInProcessBus(), tracer);
    const subjects = createSubjects();
    const seen: (string | undefined)[] = [];
    await serveService(
      bus,
      StoreServiceService,
      {
        getEntry(_request, context) {
          seen.push(context.traceparent);
          return Promise.reject(new SessionError('SESSION_NOT_FOUND', 'none'));
        },
        async *readHistory() {
          for (;;) yield ReadHistoryResponse.create({});
        },
      },
      { subjectFor: (method) => subjects.store('main', method) },
    );
    const client = createClient(bus, StoreServiceService, { subject: (method) => subjects.store('main', method), caller: 'service:test/1' });
    await expect(client.getEntry(request as never)).rejects.toThrow('none');
    const [call, serve] = spans;
    expect([call?.kind, call?.name, call?.parent]).toEqual(['call', 'sessions.v1.StoreService/GetEntry', undefined]);
    expect([serve?.kind, serve?.parent]).toEqual(['serve', call?.own]);
    expect(seen).toEqual([serve?.own]);
    expect(spans.every(({ ended, error }) => ended && error instanceof SessionError)).toBe(true);
    spans.length = 0;
    for await (const _item of client.readHistory(request as never)) break;
    await new Promise((resolve) => setImmediate(resolve));
    expect(spans.map(({ kind, ended, error }) => [kind, ended, error])).toEqual([['call', true, undefined], ['serve', true, undefined]]);
    await bus.close();
  });
});
