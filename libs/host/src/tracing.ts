/**
 * Spans of the calls that cross the bus, sent to an OpenTelemetry collector when one is configured
 * by OpenTelemetry's own variables. Without them nothing of it is loaded and no span is made.
 *
 * The context of a trace travels in the calls' headers and is passed on explicitly, so nothing here
 * hooks into the runtime. Spans name methods and reasons; never a session key or a text. Bounded by
 * the exporter's queue: spans beyond it are dropped, and those not yet sent are lost with the process.
 */
import type { Context, SpanContext } from '@opentelemetry/api';
import type { EnvironmentVariables } from './env';

/** Longest wait for the collector when the process ends. */
const FLUSH_TIMEOUT_MS = 2_000;

/** W3C trace context as it travels. */
export interface TraceContext {
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
}

export interface CallSpan {
  /** What calls made within this span carry. */
  readonly context: TraceContext;
  /** @param error what the call was refused with; undefined: it was answered */
  end(error?: unknown): void;
}

export interface CallTracer {
  begin(kind: 'serve' | 'call', name: string, parent: TraceContext): CallSpan;
}

export interface Tracing extends CallTracer {
  /** Sends what waits, within bounds. */
  stop(): Promise<void>;
}

/** Whether the variables ask for traces. `OTEL_SDK_DISABLED=true` and `OTEL_TRACES_EXPORTER=none` win. */
export function isTracingConfigured(variables: EnvironmentVariables): boolean {
  const exporter = variables['OTEL_TRACES_EXPORTER']?.trim();
  if (variables['OTEL_SDK_DISABLED']?.trim() === 'true' || exporter === 'none') return false;
  const endpoint = variables['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? variables['OTEL_EXPORTER_OTLP_ENDPOINT'];
  return exporter === 'otlp' || (endpoint ?? '').trim() !== '';
}

export interface TracingOptions {
  readonly variables: EnvironmentVariables;
  readonly service: string;
  readonly instance: string;
  readonly version: string;
}

/** @returns undefined when no exporter is configured */
export async function startTracing({ variables, service, instance, version }: TracingOptions): Promise<Tracing | undefined> {
  if (!isTracingConfigured(variables)) return undefined;
  const [api, sdk, { OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace-node'),
    import('@opentelemetry/exporter-trace-otlp-proto'),
    import('@opentelemetry/resources'),
  ]);
  const { SpanKind, SpanStatusCode, ROOT_CONTEXT, trace, createTraceState } = api;
  const provider = new sdk.NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': `sessions-${service}`, 'service.instance.id': instance, 'service.version': version }),
    spanProcessors: [new sdk.BatchSpanProcessor(new OTLPTraceExporter())],
  });
  const tracer = provider.getTracer('sessions', version);
  const contextOf = ({ traceparent, tracestate }: TraceContext): Context => {
    const parent = parseTraceparent(traceparent);
    if (parent === undefined) return ROOT_CONTEXT;
    return trace.setSpanContext(ROOT_CONTEXT, { ...parent, ...(tracestate !== undefined && { traceState: createTraceState(tracestate) }) });
  };
  return {
    begin(kind, name, parent) {
      const span = tracer.startSpan(name, { kind: kind === 'serve' ? SpanKind.SERVER : SpanKind.CLIENT }, contextOf(parent));
      return {
        context: { traceparent: formatTraceparent(span.spanContext()), tracestate: parent.tracestate },
        end(error) {
          if (error !== undefined) {
            const reason = reasonOf(error);
            span.setAttribute('error.type', reason);
            span.setStatus({ code: SpanStatusCode.ERROR, message: reason });
          }
          span.end();
        },
      };
    },
    async stop() {
      const late = new Promise<void>((resolve) => void setTimeout(resolve, FLUSH_TIMEOUT_MS).unref());
      // A collector that is away is no reason to end badly.
      await Promise.race([provider.shutdown().catch(() => undefined), late]);
    },
  };
}

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** @returns undefined for a text that is no `traceparent` */
export function parseTraceparent(text: string | undefined): SpanContext | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(text ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
}

function formatTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

/** A refusal's reason, else the class of the error; never its message. */
function reasonOf(error: unknown): string {
  const reason = (error as { reason?: unknown } | null)?.reason;
  if (typeof reason === 'string') return reason;
  return error instanceof Error ? error.name : 'unknown';
}
