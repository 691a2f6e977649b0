/**
 * What was asked for in a chat and may not be done without an operator's word, as the session's entry
 * holds it: until the word comes, and from then until what it allows is done. Each is asked for anew.
 */
import { APPROVALS_MEMBER, isJsonObject, type JsonObject, type JsonValue } from '@sessions/domain';
import { randomBytes } from 'node:crypto';

/** The word has to come within half an hour, milliseconds. */
export const APPROVAL_MS = 30 * 60_000;
/** Approvals that one session waits for. */
export const OPEN_APPROVALS_MAX = 8;
const RANDOM_BYTES = 12;

export interface PrivateRoute {
  readonly channel: string;
  readonly to: string;
  readonly accountId?: string;
  readonly threadId?: string;
}

export interface OpenApproval {
  readonly approvalId: string;
  /** It is about this transcript and no later one of the key. */
  readonly sessionId: string;
  readonly requestedAtMs: number;
  readonly expiresAtMs: number;
  /** Name of the export; undefined: made when it is granted. */
  readonly output?: string;
  /** Where who asked is told what came of it; undefined: in the session. */
  readonly route?: PrivateRoute;
  /** The operator's word; undefined: it has not come. */
  readonly approvedAtMs?: number;
  readonly approvedBy?: string;
}

/** The agent stands in it, so that whoever has the id finds the store. */
export function newApprovalId(agentId: string): string {
  return `${agentId}.${randomBytes(RANDOM_BYTES).toString('hex')}`;
}

/** Those of the present transcript; what the entry holds of an earlier one has no meaning any more. */
export function approvalsOf(members: JsonObject, sessionId: string | null): readonly OpenApproval[] {
  const value = members[APPROVALS_MEMBER];
  if (!Array.isArray(value)) return [];
  return (value as readonly JsonValue[]).flatMap((one): OpenApproval[] => {
    if (!isJsonObject(one) || sessionId === null || one['sessionId'] !== sessionId) return [];
    const { approvalId, requestedAt, expiresAt, output, route, approvedAt, approvedBy } = one;
    if (typeof approvalId !== 'string' || typeof requestedAt !== 'number' || typeof expiresAt !== 'number') return [];
    return [
      {
        approvalId,
        sessionId,
        requestedAtMs: requestedAt,
        expiresAtMs: expiresAt,
        ...(typeof output === 'string' ? { output } : {}),
        ...(isJsonObject(route) && typeof route['channel'] === 'string' && typeof route['to'] === 'string' ? { route: route as unknown as PrivateRoute } : {}),
        ...(typeof approvedAt === 'number' ? { approvedAtMs: approvedAt } : {}),
        ...(typeof approvedBy === 'string' ? { approvedBy } : {}),
      },
    ];
  });
}

export function approvalMembers(approvals: readonly OpenApproval[], before: JsonObject): { readonly set: Record<string, JsonValue>; readonly clear: readonly string[] } {
  if (approvals.length === 0) return { set: {}, clear: before[APPROVALS_MEMBER] === undefined ? [] : [APPROVALS_MEMBER] };
  const written = approvals.map(({ requestedAtMs, expiresAtMs, approvedAtMs, route, ...rest }): JsonValue => ({
    ...rest,
    ...(route === undefined ? {} : { route: { ...route } }),
    requestedAt: requestedAtMs,
    expiresAt: expiresAtMs,
    ...(approvedAtMs === undefined ? {} : { approvedAt: approvedAtMs }),
  }));
  return { set: { [APPROVALS_MEMBER]: written }, clear: [] };
}

/** It still waits for a word. */
export const isWaiting = ({ approvedAtMs, expiresAtMs }: OpenApproval, nowMs: number): boolean => approvedAtMs === undefined && nowMs < expiresAtMs;

export interface ExportFacts {
  readonly agentId: string;
  readonly key: string;
  /** Absolute. */
  readonly workspace: string;
}

/** What would be done, in the form that operators' clients show; with where it was asked for. */
export function approvalRequest({ agentId, key, workspace }: ExportFacts, { output, route }: Pick<OpenApproval, 'output' | 'route'>): JsonObject {
  const command = exportCommand({ agentId, key, workspace }, output);
  return {
    command: command.join(' '),
    commandArgv: command,
    cwd: workspace,
    host: 'gateway',
    nodeId: null,
    security: 'allowlist',
    ask: 'always',
    warningText: 'The bundle holds prompts, answers and results of tools.',
    allowedDecisions: ['allow-once', 'deny'],
    agentId,
    sessionKey: key,
    turnSourceChannel: route?.channel ?? null,
    turnSourceTo: route?.to ?? null,
    turnSourceAccountId: route?.accountId ?? null,
    turnSourceThreadId: route?.threadId ?? null,
  };
}

/** The same from the command line. */
function exportCommand({ agentId, key, workspace }: ExportFacts, output: string | undefined): string[] {
  const request = Buffer.from(JSON.stringify({ sessionKey: key, workspace, ...(output === undefined ? {} : { output }), agent: agentId }), 'utf8').toString('base64url');
  return ['openclaw', 'sessions', 'export-trajectory', '--request-json-base64', request, '--json'];
}
