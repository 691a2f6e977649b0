import { createHealth } from './health';
import { createMetrics } from './metrics';
import { createProbes, type Probes } from './probes';

describe('the probes of a process', () => {
  const health = createHealth();
  const metrics = createMetrics({ service: 'test' });
  let probes: Probes;
  let url: string;
  beforeAll(async () => {
    probes = createProbes({ health, metrics, listen: { host: '127.0.0.1', port: 0 } });
    await probes.listen();
    url = `http://127.0.0.1:${probes.address().port}`;
  });
  afterAll(async () => {
    await probes.close();
    metrics.close();
  });
  const ready = async (): Promise<{ status: number; reasons: string[] }> => {
    const response = await fetch(`${url}/readyz`);
    return { status: response.status, reasons: ((await response.json()) as { reasons: string[] }).reasons };
  };

  it('say live always, ready only while serving with no part down, and why not', async () => {
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(await ready()).toEqual({ status: 503, reasons: ['starting'] });
    health.setPhase('serving');
    expect(await ready()).toEqual({ status: 200, reasons: [] });
    health.setPart('bus', 'degraded', 'disconnected');
    expect(await ready()).toEqual({ status: 200, reasons: [] });
    health.setPart('bus', 'down', 'disconnected');
    expect(await ready()).toEqual({ status: 503, reasons: ['bus: disconnected'] });
    health.setPart('bus', 'ok');
    health.setPhase('draining');
    expect(await ready()).toEqual({ status: 503, reasons: ['draining'] });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it('show the metrics, and nothing else', async () => {
    const response = await fetch(`${url}/metrics?x=1`);
    expect(response.headers.get('content-type')).toContain('text/plain');
    expect(await response.text()).toContain('sessions_process_resident_memory_bytes');
    expect((await fetch(`${url}/`)).status).toBe(404);
    expect((await fetch(`${url}/readyz`, { method: 'POST', body: 'x' })).status).toBe(405);
    expect((await fetch(`${url}/healthz`, { method: 'HEAD' })).status).toBe(200);
  });
});
