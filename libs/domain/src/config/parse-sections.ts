/** Everything beside sessions and agents: tools, bindings, gateway, hooks, cron, models, queues, deployment. */
import type { AgentId } from '../ids';
import { slugAgentId } from '../keys/slug-id';
import { isWithinHookPrefixes } from '../routing/hook-reach';
import { isToolProfile } from '../turns/tool-profiles';
import { OPTIONS } from './option-table';
import { record } from './record';
import type { Section } from './section';

export type Environment = Readonly<Record<string, string | undefined>>;

export function parseTools(section: Section) {
  const sessions = section.section('sessions');
  const agentToAgent = section.section('agentToAgent');
  const childTools = section.section('subagents').section('tools');
  const attachments = section.section('sessions_spawn').section('attachments');
  return {
    sessions: { visibility: sessions.take('tools.sessions.visibility'), rawHistory: sessions.take('tools.sessions.rawHistory') },
    agentToAgent: { enabled: agentToAgent.take('tools.agentToAgent.enabled'), allow: agentToAgent.take('tools.agentToAgent.allow'), maxCostUsd: agentToAgent.take('tools.agentToAgent.maxCostUsd') },
    subagents: { tools: { allow: childTools.take('tools.subagents.tools.allow'), deny: childTools.take('tools.subagents.tools.deny') } },
    spawnAttachments: {
      enabled: attachments.take('tools.sessions_spawn.attachments.enabled'),
      maxFiles: attachments.take('tools.sessions_spawn.attachments.maxFiles'),
      maxFileBytes: attachments.take('tools.sessions_spawn.attachments.maxFileBytes'),
      maxTotalBytes: attachments.take('tools.sessions_spawn.attachments.maxTotalBytes'),
      retainOnSessionKeep: attachments.take('tools.sessions_spawn.attachments.retainOnSessionKeep'),
    },
    profile: parseProfile(section),
    allow: section.take('tools.allow'),
    alsoAllow: section.take('tools.alsoAllow'),
    deny: section.take('tools.deny'),
  };
}

/** A profile that is not known here is kept, and has the fewest tools. */
function parseProfile(section: Section): string | undefined {
  const profile = section.take('tools.profile');
  if (profile !== undefined && !isToolProfile(profile)) section.warn('profile', 'is not a known profile, so session tools are as in profile "minimal"');
  return profile;
}

export interface PeerMatch {
  readonly kind: 'direct' | 'group' | 'channel';
  readonly id: string;
}

/** Messages that match go to the agent; every condition given has to hold. */
export interface Binding {
  readonly agentId: AgentId;
  readonly channel: string;
  /** `undefined` and `*` are any account. */
  readonly accountId: string | undefined;
  readonly peer: PeerMatch | undefined;
  readonly guildId: string | undefined;
  readonly teamId: string | undefined;
  /** The binding asks for something that is not understood here, so it never matches. */
  readonly neverMatches: boolean;
}

const MATCH_NAMES: ReadonlySet<string> = new Set(['channel', 'accountId', 'peer', 'guildId', 'teamId']);

export function parseBindings(root: Section, agentIds: ReadonlySet<AgentId>): readonly Binding[] {
  return root.list('bindings', 'warn').flatMap((section): Binding[] => {
    for (const name of ['type', 'comment']) section.raw(name);
    const agent = section.take('bindings[].agentId');
    if (agent === undefined && section.raw('agentId') === undefined) section.refuse('agentId', 'is required');
    const match = section.section('match', 'ignore');
    const channel = match.take('bindings[].match.channel');
    if (channel === undefined && match.raw('channel') === undefined) match.refuse('channel', 'is required');
    const strange = match.names.filter((name) => !MATCH_NAMES.has(name));
    for (const name of strange) match.warn(name, 'is not a known condition, so the binding never matches');
    const conditions = {
      accountId: match.take('bindings[].match.accountId'),
      guildId: match.take('bindings[].match.guildId'),
      teamId: match.take('bindings[].match.teamId'),
      peer: match.raw('peer') === undefined ? undefined : parsePeer(match.section('peer')),
    };
    if (agent === undefined || channel === undefined) return [];
    const agentId = slugAgentId(agent);
    if (!agentIds.has(agentId)) section.warn('agentId', `names no agent of agents.list; its sessions go to a store of "${agentId}"`);
    return [{ agentId, channel: channel.trim().toLowerCase(), ...conditions, neverMatches: strange.length > 0 }];
  });
}

function parsePeer(section: Section): PeerMatch | undefined {
  const kind = section.take('bindings[].match.peer.kind');
  const id = section.take('bindings[].match.peer.id');
  if (kind === undefined && section.raw('kind') === undefined) section.refuse('kind', 'is required');
  if (id === undefined && section.raw('id') === undefined) section.refuse('id', 'is required');
  return kind === undefined || id === undefined ? undefined : { kind, id };
}

export function parseGateway(section: Section, env: Environment) {
  const auth = section.section('auth');
  const token = resolveSecret(auth, 'token', auth.take('gateway.auth.token') ?? nonEmpty(env.OPENCLAW_GATEWAY_TOKEN), env);
  const password = resolveSecret(auth, 'password', auth.take('gateway.auth.password') ?? nonEmpty(env.OPENCLAW_GATEWAY_PASSWORD), env);
  const implied = token !== undefined ? 'token' : password !== undefined ? 'password' : undefined;
  section.raw('mode');
  const mode = auth.take('gateway.auth.mode') ?? implied;
  const tokens = auth.list('tokens', 'warn');
  const proxy = auth.section('trustedProxy');
  // Its tunnel and its certificate are other programs' business.
  const remote = section.section('remote', 'ignore');
  return {
    mode: section.take('gateway.mode'),
    /** What commands connect to under mode `remote`. */
    remote: {
      url: nonEmpty(remote.take('gateway.remote.url')?.trim()),
      token: resolveSecret(remote, 'token', remote.take('gateway.remote.token'), env),
      password: resolveSecret(remote, 'password', remote.take('gateway.remote.password'), env),
    },
    port: section.take('gateway.port'),
    bind: section.take('gateway.bind'),
    auth: {
      /** `undefined` when neither mode nor a credential is configured. */
      mode,
      /** Clients shall prove themselves, also where no secret that is named has a value. */
      isSecretExpected: mode === 'token' || mode === 'password' || tokens.length > 0 || ['token', 'password'].some((name) => auth.raw(name) !== undefined),
      token,
      password,
      /** `undefined`: all. */
      scopes: auth.take('gateway.auth.scopes'),
      tokens: tokens.flatMap((one) => parseUserToken(one, env)),
      trustedProxy: {
        /** Lower case. */
        userHeader: proxy.take('gateway.auth.trustedProxy.userHeader').trim().toLowerCase(),
        /** Lower case. */
        requiredHeaders: proxy.take('gateway.auth.trustedProxy.requiredHeaders').map((name) => name.trim().toLowerCase()),
        /** Empty: all. */
        allowUsers: proxy.take('gateway.auth.trustedProxy.allowUsers').map((user) => user.trim()),
      },
    },
    trustedProxies: section.take('gateway.trustedProxies'),
    // The gateway's other settings of its pages are not ours to judge.
    allowedOrigins: section.section('controlUi', 'ignore').take('gateway.controlUi.allowedOrigins'),
    tools: { allow: section.section('tools').take('gateway.tools.allow') },
  };
}

/** What one user of the gateway may do, and with whose sessions. */
export interface UserToken {
  readonly name: string;
  readonly token: string;
  readonly scopes: readonly string[];
  /** `undefined`: all. */
  readonly agents: readonly AgentId[] | undefined;
}

/** A token whose variable is not set admits nobody. */
function parseUserToken(section: Section, env: Environment): UserToken[] {
  const name = section.take('gateway.auth.tokens[].name');
  const written = section.take('gateway.auth.tokens[].token');
  const token = resolveSecret(section, 'token', written, env);
  const scopes = section.take('gateway.auth.tokens[].scopes');
  const agents = section.take('gateway.auth.tokens[].agents')?.map((agent) => slugAgentId(agent));
  if (name === undefined && section.raw('name') === undefined) section.refuse('name', 'is required');
  if (written === undefined && section.raw('token') === undefined) section.refuse('token', 'is required');
  return name === undefined || token === undefined || token === '' ? [] : [{ name, token, scopes, agents }];
}

export function parseHooks(section: Section, env: Environment) {
  const token = resolveSecret(section, 'token', section.take('hooks.token'), env);
  const enabled = section.take('hooks.enabled');
  if (enabled && token === undefined) section.refuse('token', 'is required when hooks are enabled');
  const defaultSessionKey = section.take('hooks.defaultSessionKey')?.trim();
  const prefixes = section.take('hooks.allowedSessionKeyPrefixes')?.map((prefix) => prefix.trim().toLowerCase());
  const hooks = {
    enabled,
    token,
    path: section.take('hooks.path'),
    allowRequestSessionKey: section.take('hooks.allowRequestSessionKey'),
    /** Lower case; undefined: any. */
    allowedSessionKeyPrefixes: prefixes?.length === 0 ? undefined : prefixes,
    /** Undefined: any. */
    allowedAgentIds: allowedAgents(section.take('hooks.allowedAgentIds')),
    defaultSessionKey,
  };
  const unnamed = hooks.defaultSessionKey ?? HOOK_KEY_START;
  if (!isWithinHookPrefixes(unnamed, hooks)) section.refuse('allowedSessionKeyPrefixes', `must let in ${hooks.defaultSessionKey === undefined ? '"hook:", or hooks.defaultSessionKey be set' : 'hooks.defaultSessionKey'}`);
  return hooks;
}

/** Keys of webhooks that name none begin so. */
const HOOK_KEY_START = 'hook:';

const allowedAgents = (ids: readonly string[] | undefined): readonly AgentId[] | undefined => (ids === undefined || ids.some((id) => id.trim() === '*') ? undefined : ids.map((id) => slugAgentId(id)));

export function parseCron(section: Section) {
  const runLog = section.section('runLog');
  return {
    /** 0: rows of cron runs are kept. */
    sessionRetentionMs: section.take('cron.sessionRetention'),
    runLog: { maxBytes: runLog.take('cron.runLog.maxBytes'), keepLines: runLog.take('cron.runLog.keepLines') },
  };
}

const PROVIDER_APIS = ['openai-completions', 'anthropic-messages'] as const;

/** Providers by id. One whose `api` is not spoken here stays listed, with `api` undefined. */
/** Providers, and whether prices may be asked for. */
export function parseModels(models: Section, env: Environment) {
  return { providers: parseProviders(models, env), pricing: { enabled: models.section('pricing').take('models.pricing.enabled') } };
}

function parseProviders(models: Section, env: Environment) {
  const providers = models.section('providers', 'ignore');
  return record(
    providers.names.map((id) => {
      const section = providers.section(id, 'ignore');
      const written = section.take('models.providers.*.api');
      const api = PROVIDER_APIS.find((known) => known === written);
      if (written !== undefined && api === undefined) section.warn('api', `is not spoken here (${PROVIDER_APIS.join(', ')}); the provider is not used`);
      return [
        id,
        {
          baseUrl: section.take('models.providers.*.baseUrl'),
          apiKey: resolveSecret(section, 'apiKey', section.take('models.providers.*.apiKey'), env),
          api,
          models: section.list('models', 'ignore').flatMap(parseProviderModel),
        },
      ] as const;
    }),
  );
}

function parseProviderModel(section: Section) {
  const id = section.take('models.providers.*.models[].id');
  if (id === undefined && section.raw('id') === undefined) section.refuse('id', 'is required');
  const cost = section.section('cost');
  const model = {
    name: section.take('models.providers.*.models[].name'),
    reasoning: section.take('models.providers.*.models[].reasoning'),
    input: section.take('models.providers.*.models[].input'),
    contextWindow: section.take('models.providers.*.models[].contextWindow'),
    maxTokens: section.take('models.providers.*.models[].maxTokens'),
    cost: {
      input: cost.take('models.providers.*.models[].cost.input'),
      output: cost.take('models.providers.*.models[].cost.output'),
      cacheRead: cost.take('models.providers.*.models[].cost.cacheRead'),
      cacheWrite: cost.take('models.providers.*.models[].cost.cacheWrite'),
    },
  };
  return id === undefined ? [] : [{ id, ...model }];
}

export function parseCommands(section: Section) {
  const raw = section.raw('allowFrom');
  const isList = (value: unknown): value is readonly (string | number)[] => Array.isArray(value) && value.every((item) => typeof item === 'string' || typeof item === 'number');
  const map = Array.isArray(raw) ? { '*': raw } : raw;
  const entries = typeof map === 'object' && map !== null ? Object.entries(map) : [];
  const wellFormed = raw === undefined || (typeof map === 'object' && map !== null && entries.every(([, senders]) => isList(senders)));
  if (!wellFormed) section.refuse('allowFrom', 'must be a list of senders, or a map of channels to such lists');
  return {
    text: section.take('commands.text'),
    /** Senders by channel, `*` for any channel; `undefined`: not restricted by configuration. */
    allowFrom: raw === undefined || !wellFormed ? undefined : record(entries.map(([channel, senders]) => [channel.toLowerCase(), isList(senders) ? senders.map(String) : []] as const)),
    useAccessGroups: section.take('commands.useAccessGroups'),
  };
}

export function parseQueue(section: Section) {
  const byChannel = section.section('byChannel', 'ignore');
  const debounceByChannel = section.section('debounceMsByChannel', 'ignore');
  const mode = section.take('messages.queue.mode');
  const debounceMs = section.take('messages.queue.debounceMs');
  return {
    mode,
    debounceMs,
    cap: section.take('messages.queue.cap'),
    drop: section.take('messages.queue.drop'),
    byChannel: record(
      byChannel.names.map((channel) => {
        const verdict = OPTIONS['messages.queue.mode'].parse(byChannel.raw(channel));
        if (!verdict.ok) byChannel.refuse(channel, verdict.message);
        return [channel.toLowerCase(), verdict.ok ? verdict.value : mode] as const;
      }),
    ),
    debounceMsByChannel: record(
      debounceByChannel.names.map((channel) => {
        const verdict = OPTIONS['messages.queue.debounceMs'].parse(debounceByChannel.raw(channel));
        if (!verdict.ok) debounceByChannel.refuse(channel, verdict.message);
        return [channel.toLowerCase(), verdict.ok ? verdict.value : debounceMs] as const;
      }),
    ),
  };
}

export function parseDeployment(root: Section, env: Environment) {
  const bus = root.section('bus', 'warn');
  const writer = root.section('storeWriter', 'warn');
  const volume = writer.take('storeWriter.volume');
  const writers = writer.take('storeWriter.writers');
  // Without the names nobody can tell an agent that is new from one whose writer is away.
  if (volume === 'own' && writers.length === 0) writer.refuse('writers', 'must name every writer (SESS_INSTANCE) when storeWriter.volume is own');
  return {
    bus: {
      transport: bus.take('bus.transport') ?? (nonEmpty(env.SESS_NATS_URL) === undefined ? ('inproc' as const) : ('nats' as const)),
      subjectPrefix: bus.take('bus.subjectPrefix'),
    },
    storeWriter: { agents: writer.take('storeWriter.agents'), volume, writers, checkpointDelayMs: writer.take('storeWriter.checkpointDelayMs') },
    agentRunner: parseAgentRunner(root.section('agentRunner', 'warn')),
    compactionWorker: { maxConcurrent: root.section('compactionWorker', 'warn').take('compactionWorker.maxConcurrent') },
  };
}

function parseAgentRunner(section: Section) {
  return { maxConcurrent: section.take('agentRunner.maxConcurrent'), runtime: section.take('agentRunner.runtime') };
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === '' ? undefined : text;
}

/** Replaces a whole value of the form `${NAME}` by that variable. */
function resolveSecret(section: Section, name: string, value: string | undefined, env: Environment): string | undefined {
  const variable = value === undefined ? undefined : /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(value.trim())?.[1];
  if (variable === undefined) return value;
  const resolved = nonEmpty(env[variable]);
  if (resolved === undefined) section.warnOf(name, '(hidden)', `names the variable ${variable}, which is not set`);
  return resolved;
}
