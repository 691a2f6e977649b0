/**
 * What a dashboard asks of parts that this system does not have: tasks in the background, jobs of a
 * scheduler, plug-ins, nodes, channels of the gateway's own, heartbeats, records of its stability. None
 * is kept, so each answers with the empty list that the protocol has for it: the control UI loads them
 * beside the sessions, and shows an error instead of its page where one is refused. What would start or
 * change such a thing is an unknown method.
 */
import { SessionError } from '@sessions/domain';
import type { JsonObject } from '@sessions/domain';
import { numberOf } from '../method';
import type { GatewayMethod } from '../method';

/** Rows of a page when nothing is asked. */
const PAGE_DEFAULT = 50;
/** Most records that `diagnostics.stability` may be asked for. */
const RECORDS_MAX = 1_000;

const answering = (payload: unknown): GatewayMethod => () => Promise.resolve({ payload });

export const tasksList = answering({ tasks: [] });
export const pluginApprovalList = answering([]);
export const lastHeartbeat = answering(null);
export const cronStatus = answering({ enabled: false, jobs: 0, nextWakeAtMs: null });

export const cronList: GatewayMethod = (_deps, { params }) => Promise.resolve({ payload: { jobs: [], ...emptyPage(params), deliveryPreviews: {} } });
export const cronRuns: GatewayMethod = (_deps, { params }) => Promise.resolve({ payload: { entries: [], ...emptyPage(params) } });
export const nodeList: GatewayMethod = (deps) => Promise.resolve({ payload: { ts: deps.clock.nowMs(), nodes: [] } });

export const channelsStatus: GatewayMethod = (deps) =>
  Promise.resolve({
    payload: {
      ts: deps.clock.nowMs(), channelOrder: [], channelLabels: {}, channelDetailLabels: {}, channelSystemImages: {}, channelMeta: [],
      channels: {}, channelAccounts: {}, channelDefaultAccountId: {},
    },
  });

/** @throws VALIDATION in the protocol's sentences */
export const diagnosticsStability: GatewayMethod = async (deps, { params }) => {
  const limit = wholeFrom0(params, 'limit');
  if (limit !== undefined && (limit < 1 || limit > RECORDS_MAX)) throw new SessionError('VALIDATION', `limit must be between 1 and ${String(RECORDS_MAX)}`);
  wholeFrom0(params, 'sinceSeq');
  const { type } = params;
  if (type !== undefined && (typeof type !== 'string' || type.trim() === '')) throw new SessionError('VALIDATION', 'type must be a non-empty string');
  return { payload: { generatedAt: new Date(deps.clock.nowMs()).toISOString(), capacity: 0, count: 0, dropped: 0, events: [], summary: { byType: {} } } };
};

function wholeFrom0(params: JsonObject, name: string): number | undefined {
  const value = params[name];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new SessionError('VALIDATION', `${name} must be a non-negative integer`);
}

const emptyPage = (params: JsonObject): object => ({ total: 0, offset: 0, limit: numberOf(params, 'limit') ?? PAGE_DEFAULT, hasMore: false, nextOffset: null });
