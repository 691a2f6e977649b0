/**
 * The members of an entry that this system knows, each with one owner: the occasion on which it
 * changes. Members of other programs and of plug-ins stand beside them and are never touched.
 * Instants are epoch milliseconds.
 */
import type { JsonObject, JsonValue } from '../json';

/** Set at creation and by a reset. */
export interface IdentityMembers {
  readonly sessionId?: string;
  /** Path of the transcript, relative to the sessions directory or absolute in it. */
  readonly sessionFile?: string;
  /** Last change of the entry: orders lists, ages entries. */
  readonly updatedAt?: number;
  readonly sessionStartedAt?: number;
  readonly usageFamilyKey?: string;
  readonly usageFamilySessionIds?: readonly string[];
  readonly previousSessionId?: string;
  readonly lastResetAt?: number;
  readonly lastResetReason?: 'new' | 'reset' | 'clear' | 'daily' | 'idle' | 'cron-run';
}

/** Set by inbound messages; for lists and proactive sends, never for the answer to a message. */
export interface RoutingMembers {
  /** Last message of a person; decides the idle reset. */
  readonly lastInteractionAt?: number;
  readonly chatType?: string;
  readonly channel?: string;
  readonly groupId?: string;
  readonly subject?: string;
  readonly groupChannel?: string;
  readonly space?: string;
  readonly displayName?: string;
  readonly origin?: JsonObject;
  readonly route?: JsonObject;
  readonly deliveryContext?: JsonObject;
  readonly lastChannel?: string;
  readonly lastTo?: string;
  readonly lastAccountId?: string;
  readonly lastThreadId?: string | number;
}

/** Set by patches and chat commands. */
export interface ChosenMembers {
  /** At most 512 characters, one of its kind in a store. */
  readonly label?: string;
  readonly thinkingLevel?: string;
  readonly fastMode?: boolean | 'auto';
  readonly verboseLevel?: 'on' | 'off' | 'full';
  readonly traceLevel?: 'on' | 'off' | 'raw';
  readonly reasoningLevel?: 'on' | 'off' | 'stream';
  readonly elevatedLevel?: 'on' | 'off' | 'ask' | 'full';
  readonly responseUsage?: 'tokens' | 'full' | 'on' | 'off';
  readonly execHost?: string;
  readonly execSecurity?: string;
  readonly execAsk?: string;
  readonly execNode?: string;
  readonly sendPolicy?: 'allow' | 'deny';
  readonly groupActivation?: 'mention' | 'always';
  readonly queueMode?: 'steer' | 'followup' | 'collect' | 'interrupt';
  readonly queueDebounceMs?: number;
  readonly queueCap?: number;
  readonly queueDrop?: 'old' | 'new' | 'summarize';
  readonly providerOverride?: string;
  readonly modelOverride?: string;
  readonly modelOverrideSource?: 'auto' | 'user';
  readonly authProfileOverride?: string;
  readonly liveModelSwitchPending?: boolean;
}

/** Set when a session is spawned, once. */
export interface SpawnMembers {
  readonly spawnedBy?: string;
  readonly parentSessionKey?: string;
  readonly spawnDepth?: number;
  readonly subagentRole?: 'orchestrator' | 'leaf';
  readonly subagentControlScope?: 'children' | 'none';
  readonly inheritedToolAllow?: readonly string[];
  readonly inheritedToolDeny?: readonly string[];
  readonly spawnedWorkspaceDir?: string;
  readonly spawnedCwd?: string;
  readonly cleanup?: 'keep' | 'delete';
  readonly archiveAt?: number;
}

/** Set at the start and the end of a run. */
export interface RunMembers {
  readonly status?: 'running' | 'done' | 'failed' | 'killed' | 'timeout';
  readonly startedAt?: number;
  readonly endedAt?: number;
  readonly runtimeMs?: number;
  readonly systemSent?: boolean;
  readonly abortedLastRun?: boolean;
  readonly modelProvider?: string;
  readonly model?: string;
  readonly inputTokens?: number;
  readonly outputTokens?: number;
  readonly totalTokens?: number;
  /** False: `totalTokens` is older than the transcript. */
  readonly totalTokensFresh?: boolean;
  readonly contextTokens?: number;
  readonly cacheRead?: number;
  readonly cacheWrite?: number;
  /** Absent while a price is unknown. */
  readonly estimatedCostUsd?: number;
}

/** Set by compactions and memory flushes. */
export interface CompactionMembers {
  readonly compactionCount?: number;
  readonly compactionCheckpoints?: readonly JsonValue[];
  readonly lastCompactionAt?: number;
  readonly memoryFlushAt?: number;
  readonly memoryFlushCompactionCount?: number;
}

/** An entry as this system writes it. */
export type SessionEntry = IdentityMembers & RoutingMembers & ChosenMembers & SpawnMembers & RunMembers & CompactionMembers;

/**
 * Names that older programs gave to members. They are read where the newer name is missing, and kept
 * saying the same where an entry has both.
 */
export const LEGACY_NAMES: ReadonlyMap<string, string> = new Map([
  ['provider', 'channel'],
  ['lastProvider', 'lastChannel'],
  ['room', 'groupChannel'],
]);
