/** How deliveries of one type of job end, as counts, durations and log lines; ids only, never what the job is about. */
import type { Logger } from './logger';
import type { Metrics } from './metrics';

const MS_PER_SECOND = 1000;

/** The members of a delivery's end that are told. */
export interface EndedJob {
  readonly outcome: 'done' | 'retry' | 'failed' | 'taken-back';
  readonly value: { readonly agentId: string };
  readonly delivery: number;
  readonly durationMs: number;
  readonly reason?: string;
  readonly error?: unknown;
}

export interface JobMetrics {
  readonly noteEnd: (end: EndedJob) => void;
  /** Counts `work` as under way until it ends. */
  readonly whileRunning: <T>(work: Promise<T>) => Promise<T>;
}

/** @param type one word, in the names of the metrics: `sessions_<type>_jobs_total` */
export function createJobMetrics(metrics: Metrics, logger: Logger, type: string): JobMetrics {
  const total = metrics.counter(`sessions_${type}_jobs_total`, `Deliveries of ${type} jobs, by outcome`, ['outcome']);
  const durations = metrics.durations(`sessions_${type}_job_seconds`, `Time from the delivery of a ${type} job to its end`, ['outcome']);
  const running = metrics.gauge(`sessions_${type}_jobs_running`, `Jobs of type ${type} under way`);
  return {
    noteEnd({ outcome, value, delivery, durationMs, reason, error }) {
      total.inc({ outcome });
      durations.observe({ outcome }, durationMs / MS_PER_SECOND);
      const fields = { agentId: value.agentId, attempt: delivery, durationMs };
      if (outcome === 'failed') logger.error('a job failed', { ...fields, err: error });
      else if (outcome === 'done') logger.info('a job is done', fields);
      else logger.warn('a job was given back', { ...fields, reason: reason ?? outcome });
    },
    async whileRunning(work) {
      running.inc();
      try {
        return await work;
      } finally {
        running.dec();
      }
    },
  };
}
