import { createMetrics } from './metrics';

describe('createMetrics', () => {
  it('keeps the metrics of two instances in one process apart', async () => {
    const [one, two] = [createMetrics({ service: 'a' }), createMetrics({ service: 'b' })];
    one.counter('sessions_appends_total', 'Appends').inc(3);
    two.counter('sessions_appends_total', 'Appends').inc(5);
    expect(await one.text()).toContain('sessions_appends_total{service="a"} 3');
    expect(await two.text()).toContain('sessions_appends_total{service="b"} 5');
    one.close();
    two.close();
  });

  it('labels and buckets durations in seconds', async () => {
    const metrics = createMetrics({ service: 'a', instance: 'i' });
    metrics.durations('sessions_rpc_seconds', 'Calls', ['method']).observe({ method: 'list' }, 0.003);
    const text = await metrics.text();
    expect(text).toMatch(/sessions_rpc_seconds_bucket\{le="0.005",service="a",instance="i",method="list"\} 1/);
    expect(text).toMatch(/sessions_rpc_seconds_bucket\{le="0.002",service="a",instance="i",method="list"\} 0/);
    metrics.close();
  });

  it('sees a stall of the event loop, and starts anew after each reading', async () => {
    const metrics = createMetrics({ service: 'a' });
    const blockedMs = 120;
    for (let round = 0; metrics.eventLoopStallMs() < blockedMs / 2 && round < 50; round += 1) {
      const untilMs = performance.now() + blockedMs;
      while (performance.now() < untilMs);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(metrics.eventLoopStallMs()).toBeGreaterThan(blockedMs / 2);
    expect(await metrics.text()).toMatch(/sessions_event_loop_delay_seconds\{quantile="1",service="a"\} 0\.\d/);
    expect(metrics.eventLoopStallMs()).toBe(0);
    metrics.close();
  });

  it('reports memory of the process in bytes', async () => {
    const metrics = createMetrics({ service: 'a' });
    const resident = /sessions_process_resident_memory_bytes\{service="a"\} (\d+)/.exec(await metrics.text())?.[1];
    expect(Number(resident)).toBeGreaterThan(1024 * 1024);
    metrics.close();
  });
});
