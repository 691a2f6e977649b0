/**
 * Notes before a compaction: when the context of a session comes near its window, the agent gets one
 * silent turn to save what shall last, once between two compactions. Here is when, and what it is
 * asked; the turn itself is executed like any other. Pure.
 */
import { FieldChange, type TokenUsage } from '@sessions/contracts';
import { MEMORY_TOOL, agentSettings, asAgentId, contextTokensFor, matchesPattern, parseModelRef, parseSessionKey, planFlush, type JsonObject, type JsonValue, type ModelRef, type SessionConfig } from '@sessions/domain';

import type { OfferedTool } from './offered-tools';

/** A silent turn that takes longer is given up; the compaction does not wait for it. Milliseconds. */
export const FLUSH_MS_MAX = 120_000;
/** Of the line that asks for notes: hidden from people, seen by the model. */
export const FLUSH_LINE_TYPE = 'memory-flush';
const DATE_LENGTH = 10;
const ERROR_LENGTH_MAX = 200;

export interface FlushFacts {
  readonly config: SessionConfig;
  readonly agentId: string;
  readonly sessionKey: string;
  readonly entry: JsonObject;
  /** Of the run so far, one a model, the newest last. */
  readonly usage: readonly TokenUsage[];
  readonly transcriptBytes: number;
  /** A heartbeat, a program: nobody's conversation. */
  readonly source: string;
}

export interface Flush {
  readonly prompt: string;
  readonly systemPrompt: string | undefined;
  /** Exactly this one; undefined: the session's. */
  readonly model: ModelRef | undefined;
}

/** Undefined: there is nothing to save now. */
export function flushDue({ config, agentId, sessionKey, entry, usage, transcriptBytes, source }: FlushFacts, nowMs: number): Flush | undefined {
  const agent = asAgentId(agentId);
  const { compaction, sandbox, workspace } = agentSettings(config, agent);
  const newest = usage.at(-1);
  if (newest?.totalTokens === undefined) return undefined;
  const used: ModelRef = { provider: newest.modelProvider, model: newest.model ?? '' };
  const due = planFlush({
    settings: compaction,
    windowTokens: contextTokensFor(config, agent, used),
    tokens: newest.totalTokens,
    transcriptBytes,
    compactionCount: countOf(entry['compactionCount']) ?? 0,
    flushedAtCount: countOf(entry['memoryFlushCompactionCount']),
    // A home directory is nobody's workspace: without one of its own an agent has no place for notes.
    workspaceAccess: workspace === undefined ? 'none' : sandbox.mode === 'off' ? 'full' : sandbox.workspaceAccess,
    runKind: source === 'cron' || parseSessionKey(sessionKey).form === 'cron' ? 'cron' : source === 'heartbeat' ? 'heartbeat' : 'turn',
  });
  if (due === undefined) return undefined;
  const { prompt, systemPrompt, model } = compaction.memoryFlush;
  return { prompt: prompt ?? defaultPrompt(nowMs), systemPrompt, model: model === undefined ? undefined : parseModelRef(model) };
}

function defaultPrompt(nowMs: number): string {
  const day = new Date(nowMs).toISOString().slice(0, DATE_LENGTH);
  return `This conversation will be summarised soon. Save now what has to be remembered beyond it in memory/${day}.md, adding to what is there (tool memory_append, where there is no other). Answer exactly NO_REPLY when that is done, or when there is nothing to save.`;
}

/** The line that asks for the notes. */
export function flushLine(id: string, prompt: string, nowMs: number): string {
  return JSON.stringify({ type: 'custom_message', id, timestamp: new Date(nowMs).toISOString(), customType: FLUSH_LINE_TYPE, content: prompt, display: false });
}

/** All that the silent turn may do: nobody is written to from it. */
export function flushTools({ tools }: SessionConfig, deniedTools: readonly string[]): readonly OfferedTool[] {
  return [...tools.deny, ...deniedTools].some((pattern) => matchesPattern(pattern, MEMORY_TOOL.name)) ? [] : [MEMORY_TOOL];
}

/** What the entry remembers of it. @param failure undefined: it went well */
export function flushFields(entry: JsonObject, nowMs: number, failure: string | undefined): FieldChange[] {
  const field = (name: string, value: JsonValue): FieldChange => FieldChange.create({ name, valueJson: Buffer.from(JSON.stringify(value)) });
  if (failure === undefined) return [field('memoryFlushAt', nowMs), field('memoryFlushCompactionCount', countOf(entry['compactionCount']) ?? 0)];
  return [field('memoryFlushFailureCount', (countOf(entry['memoryFlushFailureCount']) ?? 0) + 1), field('memoryFlushLastFailedAt', nowMs), field('memoryFlushLastFailureError', failure.slice(0, ERROR_LENGTH_MAX))];
}

function countOf(value: JsonValue | undefined): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined;
}
