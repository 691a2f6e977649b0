/** The door of the bus: one interface, its transports, and what is written on every wire. */
export type {
  Bus,
  CallContext,
  CallMeta,
  CallOptions,
  ConsumeOptions,
  DeadJob,
  Events,
  Job,
  JobConsumer,
  Jobs,
  Lease,
  LeaseHolder,
  Leases,
  MessageCodec,
  MethodShape,
  Rpc,
  ServeOptions,
  Served,
  SlowSubscriber,
  SubscribeOptions,
  Subscription,
} from './bus';
export { createClient, serveService } from './bind-service';
export type {
  Client,
  ClientCallOptions,
  CreateClientOptions,
  Handler,
  Handlers,
  RequestOf,
  ResponseOf,
  ServeServiceOptions,
  ServiceShape,
} from './bind-service';
export { idempotencyKeyOf, metaFromClient, metaFromHeaders, metaToHeaders } from './call-meta';
export type { ClientIdentity, Headers } from './call-meta';
export { systemClock } from './clock';
export type { BusClock } from './clock';
export {
  MUTATION_DEADLINE_MS,
  READ_DEADLINE_MS,
  STREAM_DEADLINE_MS,
  defaultDeadlineMs,
  isRead,
  retryDelayMs,
  sleep,
  timeoutFromHeaders,
  timeoutToHeaders,
  withRetries,
} from './deadlines';
export type { RetryOptions } from './deadlines';
export { createInProcessBus } from './inproc/create-in-process-bus';
export type { InProcessBus, InProcessBusOptions } from './inproc/create-in-process-bus';
export {
  LIST_ANSWER_BYTES,
  MAX_CALLS_IN_FLIGHT,
  MAX_DEAD_LETTERS,
  MAX_DELIVERIES,
  MAX_DETAILS_BYTES,
  MAX_EVENTS_WAITING,
  MAX_HEADER_BYTES,
  MAX_JOBS_WAITING,
  MAX_JOB_BYTES,
  MAX_PAYLOAD_BYTES,
  STREAM_CREDIT,
  STREAM_ITEMS_BYTES,
} from './limits';
export { connectNatsBus, provisionNats } from './nats/connect-nats-bus';
export type { BusReport, BusReportKind, NatsBus, NatsBusOptions } from './nats/options';
export { STATUS_OK, encodeDetails, errorFromHeaders, errorToHeaders, toSessionError } from './status';
export { DEFAULT_SUBJECT_PREFIX, EVENT_TYPES, JOB_TYPES, createSubjects, methodOfPath, subjectMatches, subjectToken } from './subjects';
export type { EventSelection, EventType, JobType, ParsedSubject, Subjects } from './subjects';
export { DEFAULT_TIMING } from './timing';
export type { BusTiming } from './timing';
export { createJobWorker } from './job-worker';
export type { HandleJob, JobAnswer, JobEnd, JobHandling, JobOutcome, JobWorker, JobWorkerOptions } from './job-worker';
export { traceBus } from './traced-bus';
export type { BusSpan, BusTracer } from './traced-bus';
