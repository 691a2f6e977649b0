/**
 * Every subject of the bus, built and parsed here only.
 *
 *     <p>.rpc.router.<Method>               <p>.rpc.store.<agentId>.<Method>
 *     <p>.rpc.storepool.<Method>            <p>.rpc.{maintenance,compaction,runtime}.<Method>
 *     <p>.rpc.run.<token>.<Method>          <p>.rpc.writer.<token>.<Method>
 *     <p>.events.<agentId>.<type>.<token>   <p>.jobs.<type>.<agentId>
 *
 * An agent id is literal: its grammar needs no escaping. Session keys and run ids never are: their
 * token has constant length and holds neither wildcards nor a person's id; the payload carries the
 * true value and the receiver compares it.
 */
import { createHash } from 'node:crypto';
import { asAgentId, isAgentId, SessionError } from '@sessions/domain';

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
const TOKEN_LENGTH = 26;
const BITS_PER_CHARACTER = 5;
const PREFIX = /^[A-Za-z0-9_-]{1,64}$/;
const METHOD = /^[A-Z][A-Za-z0-9]{0,63}$/;
const TOKEN = /^[a-z2-7]{26}$/;

/** Stands where an event concerns no session; no token is that short. */
const NO_SESSION = '_';

export const DEFAULT_SUBJECT_PREFIX = 'sess';

/** Event types, the third token of an event's subject. */
export const EVENT_TYPES = ['message', 'changed', 'run', 'tool', 'operation', 'delivery', 'store', 'approval'] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** Job types; each has one consumer. `turn` and `subagent` are turns, those of sub-agents apart. */
export const JOB_TYPES = ['turn', 'subagent', 'compaction', 'maintenance', 'delivery'] as const;
export type JobType = (typeof JOB_TYPES)[number];

/** Services with one subject a method. */
const PLAIN_SERVICES = ['router', 'storepool', 'maintenance', 'compaction', 'runtime'] as const;
type PlainService = (typeof PLAIN_SERVICES)[number];

export type ParsedSubject =
  | { readonly kind: 'rpc'; readonly service: PlainService; readonly method: string }
  | { readonly kind: 'rpc'; readonly service: 'store'; readonly agentId: string; readonly method: string }
  | { readonly kind: 'rpc'; readonly service: 'run' | 'writer'; readonly token: string; readonly method: string }
  | { readonly kind: 'event'; readonly agentId: string; readonly type: EventType; readonly token: string | undefined }
  | { readonly kind: 'job'; readonly type: JobType; readonly agentId: string };

/** Narrows an event subscription; absent members match all. */
export interface EventSelection {
  readonly agentId?: string;
  readonly type?: EventType;
  readonly sessionKey?: string;
}

/** The subjects under one prefix. */
export interface Subjects {
  readonly prefix: string;
  router(method: string): string;
  store(agentId: string, method: string): string;
  storePool(method: string): string;
  maintenance(method: string): string;
  compaction(method: string): string;
  runtime(method: string): string;
  /** The runner that executes this run. */
  run(runId: string, method: string): string;
  /** One store-writer among its peers, by its instance name: what the pool's subject gives to any of them. */
  writer(instance: string, method: string): string;
  /** `sessionKey` absent: the event concerns the store. */
  event(agentId: string, type: EventType, sessionKey?: string): string;
  /** A subject with wildcards for `events.subscribe`. */
  events(selection?: EventSelection): string;
  job(type: JobType, agentId: string): string;
  /** All jobs of one type. */
  jobs(type: JobType): string;
  /** Undefined for a subject that is not one of these. */
  parse(subject: string): ParsedSubject | undefined;
}

/** First 26 characters of lower-case base32 (RFC 4648) of SHA-256 over the UTF-8 text. */
export function subjectToken(value: string): string {
  const digest = createHash('sha256').update(value, 'utf8').digest();
  let token = '';
  let held = 0;
  let bits = 0;
  for (const byte of digest) {
    held = ((held << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= BITS_PER_CHARACTER && token.length < TOKEN_LENGTH) {
      bits -= BITS_PER_CHARACTER;
      token += BASE32.charAt((held >> bits) & 31);
    }
    if (token.length === TOKEN_LENGTH) break;
  }
  return token;
}

/** `PatchEntry` of `/sessions.v1.StoreService/PatchEntry`. */
export function methodOfPath(path: string): string {
  return checkedMethod(path.slice(path.lastIndexOf('/') + 1));
}

/**
 * True when `pattern` covers `subject`: `*` stands for one token, `>` at the end for one or more.
 */
export function subjectMatches(pattern: string, subject: string): boolean {
  const wanted = pattern.split('.');
  const given = subject.split('.');
  for (const [place, token] of wanted.entries()) {
    if (token === '>' && place === wanted.length - 1) return given.length > place;
    if (place >= given.length || (token !== '*' && token !== given[place])) return false;
  }
  return wanted.length === given.length;
}

/**
 * @param prefix one token, `bus.subjectPrefix` of the configuration
 * @throws VALIDATION for a prefix, method or agent id that is no token
 */
export function createSubjects(prefix: string = DEFAULT_SUBJECT_PREFIX): Subjects {
  if (!PREFIX.test(prefix)) throw new SessionError('VALIDATION', `invalid subject prefix ${JSON.stringify(prefix)}`);
  const plain = (service: PlainService) => (method: string) => `${prefix}.rpc.${service}.${checkedMethod(method)}`;
  return {
    prefix,
    router: plain('router'),
    storePool: plain('storepool'),
    maintenance: plain('maintenance'),
    compaction: plain('compaction'),
    runtime: plain('runtime'),
    store: (agentId, method) => `${prefix}.rpc.store.${asAgentId(agentId)}.${checkedMethod(method)}`,
    run: (runId, method) => `${prefix}.rpc.run.${subjectToken(runId)}.${checkedMethod(method)}`,
    writer: (instance, method) => `${prefix}.rpc.writer.${subjectToken(instance)}.${checkedMethod(method)}`,
    event: (agentId, type, sessionKey) =>
      `${prefix}.events.${asAgentId(agentId)}.${type}.${sessionKey === undefined ? NO_SESSION : subjectToken(sessionKey)}`,
    events: ({ agentId, type, sessionKey } = {}) =>
      [
        prefix,
        'events',
        agentId === undefined ? '*' : asAgentId(agentId),
        type ?? '*',
        sessionKey === undefined ? '*' : subjectToken(sessionKey),
      ].join('.'),
    job: (type, agentId) => `${prefix}.jobs.${type}.${asAgentId(agentId)}`,
    jobs: (type) => `${prefix}.jobs.${type}.*`,
    parse: (subject) => parseSubject(prefix, subject),
  };
}

function checkedMethod(method: string): string {
  if (!METHOD.test(method)) throw new SessionError('VALIDATION', `invalid method name ${JSON.stringify(method)}`);
  return method;
}

function parseSubject(prefix: string, subject: string): ParsedSubject | undefined {
  const [head, area, first = '', second = '', third, ...rest] = subject.split('.');
  if (head !== prefix || rest.length > 0) return undefined;
  if (area === 'rpc' && third === undefined) {
    const service = PLAIN_SERVICES.find((name) => name === first);
    return service && METHOD.test(second) ? { kind: 'rpc', service, method: second } : undefined;
  }
  if (area === 'rpc' && third !== undefined && METHOD.test(third)) {
    if (first === 'store' && isAgentId(second)) return { kind: 'rpc', service: 'store', agentId: second, method: third };
    return (first === 'run' || first === 'writer') && TOKEN.test(second) ? { kind: 'rpc', service: first, token: second, method: third } : undefined;
  }
  if (area === 'events' && third !== undefined) {
    const type = EVENT_TYPES.find((name) => name === second);
    if (!type || !isAgentId(first) || (third !== NO_SESSION && !TOKEN.test(third))) return undefined;
    return { kind: 'event', agentId: first, type, token: third === NO_SESSION ? undefined : third };
  }
  if (area === 'jobs' && third === undefined) {
    const type = JOB_TYPES.find((name) => name === first);
    return type && isAgentId(second) ? { kind: 'job', type, agentId: second } : undefined;
  }
  return undefined;
}
