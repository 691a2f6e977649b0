/** `agents.defaults` and the agents of `agents.list[]`, each of which may repeat any default. */
import { COMPACTION_WAIT_SECONDS_MAX, compactionWaitSeconds } from '../compaction/plan-compaction';
import { DEFAULT_AGENT_ID, type AgentId } from '../ids';
import { slugAgentId } from '../keys/slug-id';
import type { Section } from './section';

export type AgentSettings = ReturnType<typeof parseAgentSettings>;

export interface AgentConfig extends AgentSettings {
  readonly id: AgentId;
  readonly isDefault: boolean;
  /** False: `workspace` is that of the defaults. */
  readonly hasOwnWorkspace: boolean;
}

/**
 * The agents in file order; without a list there is one, `main`. Exactly one is the default:
 * the first that says so, else the first.
 */
export function parseAgents(agents: Section): { defaults: AgentSettings; list: readonly AgentConfig[] } {
  const defaultsSection = agents.section('defaults');
  const defaults = parseAgentSettings(defaultsSection);
  const drafts = agents.list('list', 'warn', defaultsSection).flatMap((section) => {
    for (const name of ['name', 'agentDir']) section.raw(name);
    const id = section.take('agents.list[].id');
    if (id === undefined && section.raw('id') === undefined) section.refuse('id', 'is required');
    const isDefault = section.take('agents.list[].default');
    const settings = parseAgentSettings(section);
    const hasOwnWorkspace = section.raw('workspace') !== undefined;
    return id === undefined ? [] : [{ section, id: slugAgentId(id), isDefault, hasOwnWorkspace, settings }];
  });
  const seen = new Set<AgentId>();
  for (const { section, id } of drafts) {
    if (seen.has(id)) section.refuse('id', `names agent "${id}" a second time`);
    seen.add(id);
  }
  if (drafts.length === 0) return { defaults, list: [{ ...defaults, id: DEFAULT_AGENT_ID, isDefault: true, hasOwnWorkspace: false }] };
  const chosen = Math.max(0, drafts.findIndex((draft) => draft.isDefault));
  return { defaults, list: drafts.map((draft, index) => ({ ...draft.settings, id: draft.id, isDefault: index === chosen, hasOwnWorkspace: draft.hasOwnWorkspace })) };
}

function parseAgentSettings(section: Section) {
  return {
    workspace: section.take('agents.defaults.workspace'),
    model: parseModel(section),
    contextTokens: section.take('agents.defaults.contextTokens'),
    compaction: parseCompaction(section.section('compaction', 'warn')),
    contextPruning: parseContextPruning(section.section('contextPruning', 'warn')),
    sandbox: parseSandbox(section.section('sandbox', 'warn')),
    subagents: parseSubagents(section.section('subagents', 'warn')),
  };
}

/** `model` is an object, or a string that means its `primary`. */
function parseModel(section: Section) {
  const model = section.section('model');
  const primary = model.take('agents.defaults.model.primary');
  if (model.raw('primary') !== undefined && primary !== undefined && !/^[^/]+\/.+$/.test(primary)) model.warn('primary', 'names no provider: expected provider/model');
  return { primary, fallbacks: model.take('agents.defaults.model.fallbacks') };
}

/** What depends on two members is judged where the first is written, not where it is inherited. */
function parseCompaction(section: Section) {
  const provider = section.take('agents.defaults.compaction.provider');
  const chosen = section.take('agents.defaults.compaction.mode');
  const mode = provider === undefined ? chosen : 'safeguard';
  const guard = section.section('qualityGuard');
  const flush = section.section('memoryFlush');
  const identifierPolicy = section.take('agents.defaults.compaction.identifierPolicy');
  const identifierInstructions = section.take('agents.defaults.compaction.identifierInstructions');
  if (section.raw('identifierPolicy') !== undefined && identifierPolicy === 'custom' && identifierInstructions === undefined) section.refuse('identifierInstructions', 'is required by identifierPolicy "custom"');
  const truncateAfterCompaction = section.take('agents.defaults.compaction.truncateAfterCompaction');
  const maxActiveTranscriptBytes = section.take('agents.defaults.compaction.maxActiveTranscriptBytes');
  if (section.raw('maxActiveTranscriptBytes') !== undefined && maxActiveTranscriptBytes > 0 && !truncateAfterCompaction) section.warn('maxActiveTranscriptBytes', 'has no effect without truncateAfterCompaction');
  const timeoutSeconds = section.take('agents.defaults.compaction.timeoutSeconds');
  if (section.raw('timeoutSeconds') !== undefined && compactionWaitSeconds(timeoutSeconds) < timeoutSeconds) {
    section.warn('timeoutSeconds', `a summary may take ${String(timeoutSeconds)} s, but a turn that needs one goes on without it after ${String(COMPACTION_WAIT_SECONDS_MAX)} s`);
  }
  return {
    enabled: section.take('agents.defaults.compaction.enabled'),
    mode,
    provider,
    model: section.take('agents.defaults.compaction.model'),
    timeoutSeconds,
    reserveTokens: section.take('agents.defaults.compaction.reserveTokens'),
    reserveTokensFloor: section.take('agents.defaults.compaction.reserveTokensFloor'),
    keepRecentTokens: section.take('agents.defaults.compaction.keepRecentTokens'),
    recentTurnsPreserve: section.take('agents.defaults.compaction.recentTurnsPreserve'),
    maxHistoryShare: section.take('agents.defaults.compaction.maxHistoryShare'),
    identifierPolicy,
    identifierInstructions,
    qualityGuard: {
      enabled: guard.take('agents.defaults.compaction.qualityGuard.enabled') ?? mode === 'safeguard',
      maxRetries: guard.take('agents.defaults.compaction.qualityGuard.maxRetries'),
    },
    midTurnPrecheck: { enabled: section.section('midTurnPrecheck').take('agents.defaults.compaction.midTurnPrecheck.enabled') },
    postCompactionSections: section.take('agents.defaults.compaction.postCompactionSections'),
    truncateAfterCompaction,
    maxActiveTranscriptBytes,
    notifyUser: section.take('agents.defaults.compaction.notifyUser'),
    memoryFlush: {
      enabled: flush.take('agents.defaults.compaction.memoryFlush.enabled'),
      softThresholdTokens: flush.take('agents.defaults.compaction.memoryFlush.softThresholdTokens'),
      forceFlushTranscriptBytes: flush.take('agents.defaults.compaction.memoryFlush.forceFlushTranscriptBytes'),
      model: flush.take('agents.defaults.compaction.memoryFlush.model'),
      prompt: flush.take('agents.defaults.compaction.memoryFlush.prompt'),
      systemPrompt: flush.take('agents.defaults.compaction.memoryFlush.systemPrompt'),
    },
  };
}

function parseContextPruning(section: Section) {
  const softTrim = section.section('softTrim');
  const hardClear = section.section('hardClear');
  const tools = section.section('tools');
  return {
    mode: section.take('agents.defaults.contextPruning.mode'),
    ttlMs: section.take('agents.defaults.contextPruning.ttl'),
    keepLastAssistants: section.take('agents.defaults.contextPruning.keepLastAssistants'),
    softTrimRatio: section.take('agents.defaults.contextPruning.softTrimRatio'),
    hardClearRatio: section.take('agents.defaults.contextPruning.hardClearRatio'),
    minPrunableToolChars: section.take('agents.defaults.contextPruning.minPrunableToolChars'),
    softTrim: {
      maxChars: softTrim.take('agents.defaults.contextPruning.softTrim.maxChars'),
      headChars: softTrim.take('agents.defaults.contextPruning.softTrim.headChars'),
      tailChars: softTrim.take('agents.defaults.contextPruning.softTrim.tailChars'),
    },
    hardClear: {
      enabled: hardClear.take('agents.defaults.contextPruning.hardClear.enabled'),
      placeholder: hardClear.take('agents.defaults.contextPruning.hardClear.placeholder'),
    },
    tools: {
      allow: tools.take('agents.defaults.contextPruning.tools.allow'),
      deny: tools.take('agents.defaults.contextPruning.tools.deny'),
    },
  };
}

function parseSandbox(section: Section) {
  return {
    mode: section.take('agents.defaults.sandbox.mode'),
    workspaceAccess: section.take('agents.defaults.sandbox.workspaceAccess'),
    sessionToolsVisibility: section.take('agents.defaults.sandbox.sessionToolsVisibility'),
  };
}

function parseSubagents(section: Section) {
  return {
    allowAgents: section.take('agents.defaults.subagents.allowAgents'),
    requireAgentId: section.take('agents.defaults.subagents.requireAgentId'),
    model: section.take('agents.defaults.subagents.model'),
    thinking: section.take('agents.defaults.subagents.thinking'),
    runTimeoutSeconds: section.take('agents.defaults.subagents.runTimeoutSeconds'),
    archiveAfterMinutes: section.take('agents.defaults.subagents.archiveAfterMinutes'),
    archiveKept: section.take('agents.defaults.subagents.archiveKept'),
    maxConcurrent: section.take('agents.defaults.subagents.maxConcurrent'),
    maxSpawnDepth: section.take('agents.defaults.subagents.maxSpawnDepth'),
    maxChildrenPerAgent: section.take('agents.defaults.subagents.maxChildrenPerAgent'),
    announceTimeoutMs: section.take('agents.defaults.subagents.announceTimeoutMs'),
  };
}
