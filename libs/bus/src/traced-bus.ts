/**
 * A bus whose calls are spans: one where a call is made, one where it is served, joined by the
 * trace context in the headers. Events, jobs and leases pass through as they are.
 */
import type { Bus, CallContext, CallMeta, Rpc } from './bus';

interface TraceContext {
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
}

/** What makes the spans; the host's tracing has this form. */
export interface BusTracer {
  begin(kind: 'serve' | 'call', name: string, parent: TraceContext): BusSpan;
}

export interface BusSpan {
  /** What calls made within the span carry. */
  readonly context: TraceContext;
  /** @param error what the call ended with; undefined: it was answered */
  end(error?: unknown): void;
}

type RawHandler = Parameters<Rpc['serve']>[2];

/** @param tracer undefined: the bus itself */
export function traceBus(bus: Bus, tracer: BusTracer | undefined): Bus {
  if (tracer === undefined) return bus;
  const rpc: Rpc = {
    async call(subject, method, request, options) {
      const span = tracer.begin('call', nameOf(method.path), options.meta);
      return ending(span, () => bus.rpc.call(subject, method, request, { ...options, meta: within(options.meta, span) }));
    },
    stream: (subject, method, request, options) =>
      streaming(
        () => tracer.begin('call', nameOf(method.path), options.meta),
        (span) => bus.rpc.stream(subject, method, request, { ...options, meta: within(options.meta, span) }),
      ),
    serve: (subject, method, handler, options) => bus.rpc.serve(subject, method, traced(tracer, nameOf(method.path), method.responseStream, handler), options),
  };
  return { clock: bus.clock, rpc, events: bus.events, jobs: bus.jobs, leases: bus.leases, close: () => bus.close() };
}

/** `sessions.v1.StoreService/PatchEntry`: a subject would hold an agent's id. */
const nameOf = (path: string): string => path.replace(/^\//u, '');

const within = <Meta extends CallMeta>(meta: Meta, { context }: BusSpan): Meta => ({ ...meta, traceparent: context.traceparent, tracestate: context.tracestate });

function traced(tracer: BusTracer, name: string, isStream: boolean, handler: RawHandler): RawHandler {
  const begin = (context: CallContext): BusSpan => tracer.begin('serve', name, context);
  if (isStream) return (request, context) => streaming(() => begin(context), (span) => handler(request, within(context, span)) as AsyncIterable<unknown>);
  return (request, context) => {
    const span = begin(context);
    return ending(span, async () => handler(request, within(context, span)));
  };
}

async function ending<T>(span: BusSpan, run: () => Promise<T>): Promise<T> {
  try {
    const answer = await run();
    span.end();
    return answer;
  } catch (error) {
    span.end(error);
    throw error;
  }
}

/** The span begins with the first item asked for, as the call does, and ends with the stream, left early or not. */
async function* streaming(begin: () => BusSpan, open: (span: BusSpan) => AsyncIterable<unknown>): AsyncGenerator<unknown> {
  const span = begin();
  let failure: unknown;
  try {
    yield* open(span);
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    span.end(failure);
  }
}
