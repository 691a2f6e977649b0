import { isTracingConfigured, parseTraceparent, startTracing } from './tracing';
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';

const LIBRARY = path.join(__dirname, '..', 'dist', 'index.js');
const TRACE_ID = 'a'.repeat(32);
const SPAN_ID = 'b'.repeat(16);

/** Runs `body`, which gets `tracing` and `answer(value)`, in a process of its own: the built library, as it is loaded there. */
async function inProcess(body: string, env: NodeJS.ProcessEnv): Promise<unknown> {
  const script = `const answer = (value) => process.stdout.write(JSON.stringify(value ?? null));
    require(${JSON.stringify(LIBRARY)}).startTracing({ variables: process.env, service: 's', instance: 'i', version: '0' }).then(async (tracing) => { ${body} });`;
  const { OTEL_TRACES_EXPORTER: _exporter, OTEL_EXPORTER_OTLP_ENDPOINT: _endpoint, ...others } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { env: { ...others, ...env } });
  return JSON.parse(stdout);
}

describe('traces', () => {
  it('are made only when an exporter is configured', async () => {
    for (const variables of [{}, { OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x' }, { OTEL_SDK_DISABLED: 'true', OTEL_TRACES_EXPORTER: 'otlp' }, { OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }]) {
      expect(isTracingConfigured(variables)).toBe(false);
      expect(await startTracing({ variables, service: 's', instance: 'i', version: '0' })).toBeUndefined();
    }
    expect(isTracingConfigured({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x' })).toBe(true);
    expect(isTracingConfigured({ OTEL_TRACES_EXPORTER: 'otlp' })).toBe(true);
  });

  it('load nothing otherwise', async () => {
    // The API's stubs are there with the metrics library.
    const loaded = 'answer([tracing, Object.keys(require.cache).filter((file) => /@opentelemetry.(sdk|exporter|otlp|resources)|@grpc/.test(file))])';
    expect(await inProcess(loaded, {})).toEqual([null, []]);
  });

  it('join a caller\'s trace and reach the collector', async () => {
    const bodies: { url: string | undefined; bytes: Buffer }[] = [];
    const collector = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
        bodies.push({ url: request.url, bytes: Buffer.concat(chunks) });
        response.end();
      });
    });
    await new Promise<void>((resolve) => void collector.listen(0, '127.0.0.1', resolve));
    try {
      const context = (await inProcess(
        `const span = tracing.begin('serve', 'sessions.v1.StoreService/GetEntry', { traceparent: '00-${TRACE_ID}-${SPAN_ID}-01', tracestate: 'x=1' });
         answer(span.context);
         span.end(Object.assign(new Error('words of a conversation'), { reason: 'NOT_OWNER' }));
         await tracing.stop();`,
        { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}` },
      )) as { traceparent: string; tracestate: string };
      expect(parseTraceparent(context.traceparent)).toMatchObject({ traceId: TRACE_ID, traceFlags: 1 });
      expect(context.traceparent).not.toContain(SPAN_ID);
      expect(context.tracestate).toBe('x=1');
      expect(bodies.map(({ url }) => url)).toEqual(['/v1/traces']);
      expect(bodies[0]?.bytes.includes('StoreService/GetEntry')).toBe(true);
      expect(bodies[0]?.bytes.includes('NOT_OWNER')).toBe(true);
      expect(bodies[0]?.bytes.includes('conversation')).toBe(false);
    } finally {
      await new Promise((resolve) => collector.close(resolve));
    }
  });
});
