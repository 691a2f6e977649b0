/**
 * What JetStream keeps for the bus, made when it is missing and brought up to date when it differs:
 *
 *     <P>_JOBS      work queue of `<p>.jobs.>`, one durable pull consumer a job type
 *     <P>_DEAD      the last MAX_DEAD_LETTERS dead letters, `<p>.dead.>`
 *     KV_<P>_LEASES the lease bucket; a value lasts `leaseTtlMs`
 *
 * Deleting all of it loses no work: the stores publish their pending work again, and holders of
 * leases that are still valid take them anew.
 */
import { MAX_DEAD_LETTERS, MAX_JOBS_WAITING, MAX_JOB_BYTES } from '../limits';
import { JOB_TYPES } from '../subjects';
import type { BusTiming } from '../timing';
import { JS_ERROR, JetStreamRefusal } from './jetstream';
import type { JetStream } from './jetstream';
import { NS_PER_MS, namesFor } from './wire';

export interface ProvisionOptions {
  readonly jetStream: JetStream;
  readonly subjectPrefix: string;
  readonly timing: BusTiming;
  /** Copies in a cluster. */
  readonly replicas: number;
}

/** Headers of a job: its message id, and the few bytes around them. */
const JOB_HEADER_BYTES = 2048;
const DEAD_LETTER_BYTES = 4096;
/** JetStream does not take shorter windows, milliseconds. */
const WINDOW_MS_MIN = 100;

/** Safe to call again and by several at once. @throws as `JetStream.api` */
export async function provision(options: ProvisionOptions): Promise<void> {
  const { jetStream, subjectPrefix, timing, replicas } = options;
  const { jobs, dead, leases } = namesFor(subjectPrefix);
  const windowNs = Math.max(WINDOW_MS_MIN, timing.duplicateWindowMs) * NS_PER_MS;
  const common = { storage: 'file', num_replicas: replicas, max_consumers: -1, max_bytes: -1, max_msgs_per_subject: -1, no_ack: false };
  await ensureStream(jetStream, {
    ...common,
    name: jobs,
    subjects: [`${subjectPrefix}.jobs.>`],
    retention: 'workqueue',
    discard: 'new',
    max_msgs: MAX_JOBS_WAITING,
    max_msg_size: MAX_JOB_BYTES + JOB_HEADER_BYTES,
    max_age: 0,
    duplicate_window: windowNs,
  });
  await ensureStream(jetStream, {
    ...common,
    name: dead,
    subjects: [`${subjectPrefix}.dead.>`],
    retention: 'limits',
    discard: 'old',
    max_msgs: MAX_DEAD_LETTERS,
    max_msg_size: DEAD_LETTER_BYTES,
    max_age: 0,
    duplicate_window: windowNs,
  });
  const ttlNs = Math.max(WINDOW_MS_MIN, timing.leaseTtlMs) * NS_PER_MS;
  await ensureStream(jetStream, {
    ...common,
    name: `KV_${leases}`,
    subjects: [`$KV.${leases}.>`],
    retention: 'limits',
    discard: 'new',
    max_msgs: -1,
    max_msgs_per_subject: 1,
    max_msg_size: -1,
    max_age: ttlNs,
    duplicate_window: ttlNs,
    allow_rollup_hdrs: true,
    deny_delete: true,
    allow_direct: true,
  });
  for (const type of JOB_TYPES) {
    await jetStream.api(`CONSUMER.DURABLE.CREATE.${jobs}.${type}`, {
      stream_name: jobs,
      config: {
        durable_name: type,
        filter_subject: `${subjectPrefix}.jobs.${type}.*`,
        deliver_policy: 'all',
        replay_policy: 'instant',
        ack_policy: 'explicit',
        ack_wait: timing.ackWaitMs * NS_PER_MS,
        // The worker counts: after the last delivery it writes a dead letter, which the server would not.
        max_deliver: -1,
        max_ack_pending: -1,
      },
    });
  }
}

/** As JetStream's interface has it; spans in nanoseconds. */
interface StreamConfig {
  readonly name: string;
  readonly [setting: string]: unknown;
}

async function ensureStream(jetStream: JetStream, config: StreamConfig): Promise<void> {
  try {
    await jetStream.api(`STREAM.CREATE.${config.name}`, config);
  } catch (error) {
    if (!(error instanceof JetStreamRefusal && error.errCode === JS_ERROR.STREAM_EXISTS)) throw error;
    const { config: present } = (await jetStream.api(`STREAM.INFO.${config.name}`)) as { readonly config?: StreamConfig };
    // A set-up without a word of copies does not take any away.
    const replicas = Math.max(Number(present?.['num_replicas'] ?? 1), Number(config['num_replicas']));
    await jetStream.api(`STREAM.UPDATE.${config.name}`, { ...present, ...config, num_replicas: replicas });
  }
}
