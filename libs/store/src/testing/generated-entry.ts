/** Entries of a sessions file as the original writes them, each a pure function of seed and index. */
import type { JsonObject, JsonValue } from '@sessions/domain';
import { SeededRandom } from './seeded-random';

export interface EntryRecipe {
  readonly agentId: string;
  readonly seed: number;
  /** Instants lie in the 90 days before this one. */
  readonly nowMs: number;
  /** Aimed-at size of the value in the file, indentation included; real ones differ by a few bytes. */
  readonly entryBytes: number;
}

export interface GeneratedEntry {
  readonly key: string;
  readonly sessionId: string;
  readonly entry: JsonObject;
}

/** Plain prose to cut long texts from: making each word by word would dominate a large store. */
const BULK_PROSE = Array.from(new SeededRandom(1).prose(64 * 1024)).filter((char) => char < '\u0080').join('');

const DAY_MS = 86_400_000;
const CHANNELS = ['telegram', 'discord', 'slack', 'whatsapp', 'signal'] as const;
const MODELS = [
  ['anthropic', 'claude-sonnet-4-5'],
  ['openai', 'gpt-5'],
  ['google', 'gemini-2.5-pro'],
] as const;

/**
 * The `index`-th entry of a store: 0 is the agent's main session; then direct chats, groups, topics,
 * channels, cron jobs and their runs, hooks and sub-agents in the shares of a busy gateway.
 */
export function generateEntry(recipe: EntryRecipe, index: number): GeneratedEntry {
  const random = new SeededRandom(recipe.seed, index);
  const updatedAt = recipe.nowMs - random.below(90 * DAY_MS);
  const startedAt = updatedAt - random.below(DAY_MS);
  const sessionId = random.uuid(startedAt);
  const address = addressOf(recipe.agentId, index, random, sessionId);
  const [modelProvider, model] = random.pick<readonly [string, string]>(MODELS);
  const inputTokens = random.below(150_000);
  const outputTokens = random.below(20_000);
  const entry: Record<string, JsonValue> = {
    sessionId,
    updatedAt,
    sessionStartedAt: startedAt,
    lastInteractionAt: updatedAt - random.below(60_000),
    systemSent: true,
    abortedLastRun: random.chance(0.02),
    ...address.fields,
    ...(random.chance(0.3) ? { label: `${random.prose(20)} #${index}` } : {}),
    ...(random.chance(0.2) ? { thinkingLevel: random.pick(['low', 'medium', 'high']) } : {}),
    ...(random.chance(0.1) ? { providerOverride: 'openai', modelOverride: 'gpt-5-mini', modelOverrideSource: 'user' } : {}),
    modelProvider,
    model,
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    totalTokensFresh: random.chance(0.9),
    contextTokens: 200_000,
    cacheRead: random.below(100_000),
    cacheWrite: random.below(10_000),
    estimatedCostUsd: random.below(1_000_000) / 1_000_000,
    compactionCount: random.below(3),
    status: random.pick(['done', 'done', 'done', 'failed', 'killed', 'timeout']),
    startedAt: updatedAt - 5_000,
    endedAt: updatedAt,
    runtimeMs: 5_000,
  };
  fill(entry, recipe.entryBytes, random);
  return { key: address.key, sessionId, entry };
}

/** Brings an entry to its size with the bulky members that real ones have. */
function fill(entry: Record<string, JsonValue>, entryBytes: number, random: SeededRandom): void {
  const skills: JsonValue[] = [];
  entry['skillsSnapshot'] = { prompt: '', skills, version: 1 };
  if (entryBytes > 8_000) {
    entry['systemPromptReport'] = {
      source: 'run',
      generatedAt: entry['updatedAt'] ?? 0,
      injectedWorkspaceFiles: Array.from({ length: 8 }, () => ({ path: `${random.hex(6)}.md`, rawChars: random.below(20_000), injectedChars: random.below(20_000), truncated: false })),
      tools: { entries: Array.from({ length: Math.floor(entryBytes / 500) }, () => ({ name: `tool_${random.hex(6)}`, summaryChars: random.below(500), schemaChars: random.below(2_000) })) },
    };
  }
  for (let name = 0; name < 3; name += 1) skills.push({ name: `skill-${random.hex(4)}` });
  let missing = entryBytes - Buffer.byteLength(indented(entry));
  let prompt = '';
  while (missing > 0) {
    const from = random.below(BULK_PROSE.length / 2);
    const piece = BULK_PROSE.slice(from, from + missing);
    prompt += piece;
    missing -= piece.length;
  }
  entry['skillsSnapshot'] = { prompt, skills, version: 1 };
}

/** The value as it stands in a sessions file: two spaces of indentation, one level deep. */
export function indented(entry: JsonValue): string {
  return JSON.stringify(entry, null, 2).replaceAll('\n', '\n  ');
}

function addressOf(agentId: string, index: number, random: SeededRandom, sessionId: string): { key: string; fields: Record<string, JsonValue> } {
  const root = `agent:${agentId}`;
  if (index === 0) return { key: `${root}:main`, fields: { chatType: 'direct' } };
  const channel = random.pick(CHANNELS);
  // Unique by the index, scattered so that file order is not the order of keys.
  const peer = String(10_000_000 + ((index * 7_919) % 89_999_999));
  const share = random.below(100);
  if (share < 60) return { key: `${root}:${channel}:direct:${peer}`, fields: chatFields(channel, 'direct', `${channel}:${peer}`, random) };
  if (share < 72) return { key: `${root}:${channel}:group:g${peer}`, fields: { ...chatFields(channel, 'group', `${channel}:g${peer}`, random), groupId: `g${peer}`, subject: random.prose(24) } };
  if (share < 78) {
    return {
      key: `${root}:telegram:group:-100${peer}:topic:${1 + random.below(50)}`,
      fields: { ...chatFields('telegram', 'group', `telegram:-100${peer}`, random), groupId: `-100${peer}`, lastThreadId: 7 },
    };
  }
  if (share < 85) return { key: `${root}:slack:channel:c${peer}`, fields: { ...chatFields('slack', 'channel', `slack:c${peer}`, random), groupChannel: `#${random.prose(8)}` } };
  if (share < 88) return { key: `${root}:cron:job-${peer}`, fields: { displayName: `Cron ${random.prose(12)}` } };
  if (share < 94) return { key: `${root}:cron:job-${index % 97}:run:${sessionId}`, fields: {} };
  if (share < 96) return { key: `${root}:hook:${sessionId}`, fields: {} };
  return { key: `${root}:subagent:${sessionId}`, fields: { spawnedBy: `${root}:main`, spawnDepth: 1, subagentRole: 'leaf' } };
}

function chatFields(channel: string, chatType: string, to: string, random: SeededRandom): Record<string, JsonValue> {
  const name = random.prose(14);
  return {
    chatType,
    channel,
    displayName: name,
    origin: { label: name, provider: channel, surface: channel, chatType, from: to, to, accountId: 'default' },
    route: { channel, accountId: 'default', target: { to, chatType } },
    deliveryContext: { channel, to, accountId: 'default' },
    lastChannel: channel,
    lastTo: to,
    lastAccountId: 'default',
  };
}
