import { agentSettings, configuredAgents, contextTokensFor, modelFor, parseModelRef, storePathFor } from './agents';
import type { AgentId } from '../ids';
import { OPTIONS, describeOptions } from './option-table';
import type { Option } from './options';
import { defaultConfig, formatProblem, parseConfig, type SessionConfig } from './parse-config';

const MAIN = 'main' as AgentId;
const PLACES = { stateDir: '/srv/state', homeDir: '/home/ann' };

function parsed(raw: unknown, env: Record<string, string> = {}): SessionConfig {
  const result = parseConfig(raw, env);
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'));
  return result.config;
}

function warningsOf(raw: unknown): string[] {
  const result = parseConfig(raw);
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'));
  return result.warnings.map((warning) => warning.path);
}

function problemsOf(raw: unknown, env: Record<string, string> = {}): string[] {
  const result = parseConfig(raw, env);
  return result.ok ? [] : result.problems.map((problem) => problem.path);
}

describe('the volume of store-writers', () => {
  it('is their own only where all of them are named', () => {
    expect(problemsOf({ storeWriter: { volume: 'own' } })).toEqual(['storeWriter.writers']);
    expect(problemsOf({ storeWriter: { volume: 'nfs' } })).toEqual(['storeWriter.volume']);
    expect(parsed({ storeWriter: { volume: 'own', writers: ['a', 'b'] } }).storeWriter).toMatchObject({ volume: 'own', writers: ['a', 'b'] });
  });
});

describe('parseConfig without a file', () => {
  it('has the documented defaults', () => {
    const config = defaultConfig();
    expect(config.session).toMatchObject({
      scope: 'per-sender',
      dmScope: 'main',
      identityLinks: [],
      mainKey: 'main',
      store: undefined,
      reset: { mode: 'daily', atHour: 4, idleMinutes: 0, timeZone: undefined },
      resetExplicit: false,
      resetNotice: true,
      resetByType: {},
      resetByChannel: {},
      resetTriggers: ['/new', '/reset'],
      sendPolicy: { default: 'allow', rules: [] },
      agentToAgent: { maxPingPongTurns: 5 },
      threadBindings: { enabled: true, idleHours: 24, maxAgeHours: 0, spawnSessions: true, defaultSpawnContext: 'fork' },
      maintenance: { mode: 'warn', pruneAfterMs: 30 * 86_400_000, removalNoticeMs: 86_400_000, maxEntries: 500, resetArchiveRetentionMs: 30 * 86_400_000, maxDiskBytes: 0, highWaterBytes: 0 },
      writeLock: { acquireTimeoutMs: 60_000, staleMs: 1_800_000, maxHoldMs: 300_000 },
    });
    expect(config.agents.defaults.compaction).toMatchObject({ mode: 'default', reserveTokens: 16_384, reserveTokensFloor: 20_000, qualityGuard: { enabled: false, maxRetries: 1 }, memoryFlush: { softThresholdTokens: 4_000, forceFlushTranscriptBytes: 2_097_152 } });
    expect(config.tools).toMatchObject({ sessions: { visibility: 'tree' }, spawnAttachments: { enabled: true, maxFiles: 50 } });
    expect(config.gateway).toMatchObject({ port: 18_789, bind: 'loopback', auth: { mode: undefined, scopes: undefined } });
    expect(config).toMatchObject({ cron: { sessionRetentionMs: 86_400_000 }, bus: { transport: 'inproc', subjectPrefix: 'sess' }, storeWriter: { agents: ['*'], volume: 'shared', writers: [], checkpointDelayMs: 250 }, agentRunner: { maxConcurrent: 16, runtime: 'builtin' }, compactionWorker: { maxConcurrent: 2 } });
    expect(config.messages.queue).toEqual({ mode: 'steer', debounceMs: 500, cap: 20, drop: 'summarize', byChannel: {}, debounceMsByChannel: {} });
    expect(configuredAgents(config)).toEqual({ ids: ['main'], defaultAgentId: 'main' });
  });

  it('is frozen through and through, and does not freeze what it was given', () => {
    const triggers = ['/fresh'];
    const config = parsed({ session: { resetTriggers: triggers } });
    expect(Object.isFrozen(config.session.maintenance)).toBe(true);
    expect(Object.isFrozen(config.session.resetTriggers)).toBe(true);
    expect(Object.isFrozen(triggers)).toBe(false);
  });
});

describe('parseConfig', () => {
  it('reads the sample of the manual without a warning', () => {
    const sample = {
      session: {
        dmScope: 'per-channel-peer',
        reset: { mode: 'daily', atHour: 4, idleMinutes: 240 },
        resetByType: { thread: { mode: 'idle', idleMinutes: 1440 } },
        maintenance: { mode: 'enforce', pruneAfter: '45d', maxEntries: 800, maxDiskBytes: '1gb' },
        sendPolicy: { rules: [{ action: 'deny', match: { keyPrefix: 'hook:' } }] },
      },
      agents: { defaults: { compaction: { reserveTokensFloor: 20000, memoryFlush: { enabled: true, softThresholdTokens: 4000 } } } },
      tools: { sessions: { visibility: 'tree' } },
    };
    const config = parsed(sample);
    expect(warningsOf(sample)).toEqual([]);
    expect(config.session).toMatchObject({
      dmScope: 'per-channel-peer',
      resetExplicit: true,
      resetByType: { thread: { mode: 'idle', idleMinutes: 1440, atHour: 4 } },
      maintenance: { mode: 'enforce', pruneAfterMs: 45 * 86_400_000, resetArchiveRetentionMs: 45 * 86_400_000, maxDiskBytes: 1024 ** 3, highWaterBytes: Math.floor(1024 ** 3 * 0.8) },
    });
  });

  it('reports every problem at once, with path, value and what is allowed', () => {
    const result = parseConfig({
      session: { dmScope: 'per-user', maintenance: { pruneAfter: 'soon', maxEntries: -1 }, reset: { timeZone: 'Mars/Olympus' } },
      gateway: { port: 70000 },
    });
    expect(result.ok ? [] : result.problems.map(formatProblem).sort()).toEqual([
      'gateway.port = 70000: must be a whole number, from 0 to 65535',
      'session.dmScope = "per-user": must be one of "main", "per-peer", "per-channel-peer", "per-account-channel-peer"',
      'session.maintenance.maxEntries = -1: must be a whole number, at least 0',
      'session.maintenance.pruneAfter = "soon": must be a duration such as "30d" or "1h30m" (units ms s m h d), or a number of d',
      'session.reset.timeZone = "Mars/Olympus": must be the IANA name of a time zone, such as "Europe/Berlin"',
    ]);
  });

  it.each([
    ['session.maintenance.maxEntrys', { session: { maintenance: { maxEntrys: 5 } } }],
    ['session.reset.hour', { session: { reset: { hour: 5 } } }],
    ['session.resetByType.topic', { session: { resetByType: { topic: { mode: 'idle' } } } }],
    ['session.resetByType.thread.idle', { session: { resetByType: { thread: { idle: 5 } } } }],
    ['session.resetByChannel.slack.mod', { session: { resetByChannel: { slack: { mod: 'idle' } } } }],
    ['session.resetByChanel', { session: { resetByChanel: {} } }],
    ['session.maintenanceMode', { session: { maintenanceMode: 'enforce' } }],
    ['cron.sessionRetention', { cron: { sessionRetention: { days: 3 } } }],
  ])('refuses the unknown key %s, which could change what is removed or reset', (path, raw) => {
    expect(problemsOf(raw)).toEqual([path]);
  });

  it('says that a turn waits for a compaction no longer than it may, whatever the summary is given', () => {
    const saying = (timeoutSeconds: number) => {
      const result = parseConfig({ agents: { defaults: { compaction: { timeoutSeconds } }, list: [{ id: 'main' }, { id: 'slow', compaction: { timeoutSeconds: timeoutSeconds * 2 } }] } });
      if (!result.ok) throw new Error('refused');
      return result.warnings.map(({ path, value, message }) => ({ path, value, message }));
    };
    expect(saying(90)).toEqual([]);
    expect(saying(95)).toEqual([]);
    expect(saying(300)).toEqual([
      { path: 'agents.defaults.compaction.timeoutSeconds', value: '300', message: 'a summary may take 300 s, but a turn that needs one goes on without it after 190 s' },
      { path: 'agents.list[1].compaction.timeoutSeconds', value: '600', message: 'a summary may take 600 s, but a turn that needs one goes on without it after 190 s' },
    ]);
  });

  it('keeps unknown keys elsewhere with a warning, and does not judge other sections', () => {
    const raw = { session: { sope: 'global' }, gateway: { prt: 1, controlUi: { enabled: true } }, bus: { url: 'x' }, plugins: { any: null }, ui: 5, channels: { telegram: { botToken: 't' } } };
    expect(warningsOf(raw)).toEqual(['session.sope', 'gateway.prt', 'bus.url']);
  });

  it.each([null, '', NaN, Infinity, -1, 1.5, '1', {}, []])('never reads %p as a limit on the number of entries', (maxEntries) => {
    expect(problemsOf({ session: { maintenance: { maxEntries } } })).toEqual(['session.maintenance.maxEntries']);
  });

  it.each(['session', 'agents', 'tools', 'gateway', 'hooks', 'cron', 'channels', 'models', 'commands', 'messages', 'bus'])('refuses a section %s that is no object', (name) => {
    expect(problemsOf({ [name]: null })).toContain(name);
    expect(problemsOf({ [name]: [] })).toContain(name);
  });

  it('refuses a file that is no object', () => {
    expect(problemsOf([])).toEqual(['(file)']);
    expect(problemsOf(null)).toEqual(['(file)']);
  });

  it('never shows a secret, wherever it was written', () => {
    const secretive = [{ gateway: { auth: 's3cret' } }, { gateway: { auth: { token: ['s3cret'] } } }, { gateway: { auth: { tokn: 's3cret' } } }, { hooks: { enabled: 'x', token: { v: 's3cret' } } }, { hooks: { token: 830_174 } }, { gateway: { auth: { password: 830_174 } } }, { models: { providers: { p: { apiKey: 5, api: 'x' } } } }];
    for (const raw of secretive) expect(JSON.stringify({ ...parseConfig(raw), config: undefined })).not.toMatch(/s3cret|830174/);
  });

  it.each([
    [4.7, 4],
    [-3, 0],
    [99, 23],
  ])('holds hour %p to %p with a warning', (atHour, held) => {
    const raw = { session: { reset: { atHour } } };
    expect(parsed(raw).session.reset.atHour).toBe(held);
    expect(warningsOf(raw)).toEqual(['session.reset.atHour']);
  });

  it('holds ping-pong turns and the high-water mark to their bounds with a warning', () => {
    const raw = { session: { agentToAgent: { maxPingPongTurns: 20 }, maintenance: { maxDiskBytes: '1mb', highWaterBytes: '2mb', rotateBytes: 'x', parentForkMaxTokens: 1 } } };
    expect(parsed(raw).session).toMatchObject({ agentToAgent: { maxPingPongTurns: 5 }, maintenance: { highWaterBytes: 1024 ** 2 } });
    expect(warningsOf(raw).sort()).toEqual(['session.agentToAgent.maxPingPongTurns', 'session.maintenance.highWaterBytes', 'session.maintenance.parentForkMaxTokens', 'session.maintenance.rotateBytes']);
  });

  it('reads retention that is switched off as keeping', () => {
    expect(parsed({ cron: { sessionRetention: false }, session: { maintenance: { resetArchiveRetention: false } } })).toMatchObject({ cron: { sessionRetentionMs: 0 }, session: { maintenance: { resetArchiveRetentionMs: 0 } } });
    expect(parsed({ session: { maintenance: { pruneAfter: '0' } } }).session.maintenance).toMatchObject({ pruneAfterMs: 0, resetArchiveRetentionMs: 0 });
  });

  it('reads the legacy idle minutes only when there is no reset section', () => {
    expect(parsed({ session: { idleMinutes: 30 } }).session).toMatchObject({ reset: { mode: 'idle', idleMinutes: 30 }, resetExplicit: true });
    expect(parsed({ session: { idleMinutes: 30, reset: { mode: 'none' } } }).session.reset).toMatchObject({ mode: 'none', idleMinutes: 0 });
  });

  it('reads dm as direct and inherits nothing but the time zone between reset policies', () => {
    const { resetByType, resetByChannel } = parsed({ session: { reset: { timeZone: 'Europe/Berlin', atHour: 6, idleMinutes: 9 }, resetByType: { dm: { mode: 'idle' } }, resetByChannel: { Slack: { atHour: 2, timeZone: 'UTC' } } } }).session;
    expect(resetByType.direct).toEqual({ mode: 'idle', atHour: 4, idleMinutes: 0, timeZone: 'Europe/Berlin' });
    expect(resetByChannel.slack).toEqual({ mode: 'daily', atHour: 2, idleMinutes: 0, timeZone: 'UTC' });
  });

  it('finds nothing under names that every object inherits', () => {
    const config = parsed({ session: { resetByChannel: { slack: {} } }, messages: { queue: { byChannel: { slack: 'collect' }, debounceMsByChannel: { Slack: 2_000 } } } });
    expect([config.session.resetByChannel.constructor, config.messages.queue.byChannel.toString, config.models.providers.valueOf]).toEqual([undefined, undefined, undefined]);
    expect([config.messages.queue.byChannel.slack, config.messages.queue.debounceMsByChannel.slack]).toEqual(['collect', 2_000]);
  });

  it('warns of a peer that two people claim', () => {
    expect(warningsOf({ session: { identityLinks: { alice: ['telegram:1'], bob: ['Telegram:1'] } } })).toEqual(['session.identityLinks.bob']);
    expect(problemsOf({ session: { identityLinks: { alice: 'telegram:1' } } })).toEqual(['session.identityLinks.alice']);
  });

  it('never lets a rule with a condition it does not know match more than it says', () => {
    expect(parsed({ session: { sendPolicy: { rules: [{ action: 'allow', match: { chanel: 'slack' } }] } } }).session.sendPolicy.rules[0]).toMatchObject({ neverMatches: true });
    expect(problemsOf({ session: { sendPolicy: { rules: [{ match: {} }, { action: 'maybe' }, 5] } } })).toEqual(['session.sendPolicy.rules[2]', 'session.sendPolicy.rules[0].action', 'session.sendPolicy.rules[1].action', 'session.sendPolicy.rules[2].action']);
  });

  it('takes credentials, bus and lock times from the environment, the file first', () => {
    const env = { OPENCLAW_GATEWAY_TOKEN: 'from-env', SESS_NATS_URL: 'nats://127.0.0.1', OPENCLAW_SESSION_WRITE_LOCK_STALE_MS: '5000', MY_KEY: 'k' };
    const config = parsed({ models: { providers: { p: { apiKey: '${MY_KEY}', api: 'openai-completions' } } } }, env);
    expect(config).toMatchObject({ gateway: { auth: { mode: 'token', token: 'from-env' } }, bus: { transport: 'nats' }, session: { writeLock: { staleMs: 5000 } } });
    expect(config.models.providers.p).toMatchObject({ apiKey: 'k', api: 'openai-completions' });
    expect(parsed({ gateway: { auth: { token: 'own' } } }, env).gateway.auth.token).toBe('own');
    // What names a secret wants one, whether or not it has a value.
    for (const auth of [{ token: '${NOT_SET}' }, { tokens: [{ name: 'ann', token: '${NOT_SET}' }] }, { mode: 'password' }]) expect(parsed({ gateway: { auth } }).gateway.auth).toMatchObject({ isSecretExpected: true });
    for (const auth of [{}, { mode: 'none' }, { mode: 'trusted-proxy' }]) expect(parsed({ gateway: { auth } }).gateway.auth).toMatchObject({ isSecretExpected: false });
    expect(parsed({ gateway: { auth: { password: 'p' } } }).gateway.auth.mode).toBe('password');
    expect(parsed({ bus: { transport: 'inproc' } }, env).bus.transport).toBe('inproc');
  });

  it.each(['0', '-5', 'x', '1.5'])('refuses the lock time %j of the environment, naming the variable', (value) => {
    expect(problemsOf({}, { OPENCLAW_SESSION_WRITE_LOCK_MAX_HOLD_MS: value })).toEqual(['OPENCLAW_SESSION_WRITE_LOCK_MAX_HOLD_MS']);
  });

  it('refuses webhooks that anybody could call', () => {
    expect(problemsOf({ hooks: { enabled: true } })).toEqual(['hooks.token']);
    expect(parsed({ hooks: { enabled: true, token: 't' } }).hooks).toEqual({ enabled: true, token: 't', path: '/hooks', allowRequestSessionKey: false });
    const limited = { enabled: true, token: 't', allowedSessionKeyPrefixes: [' Hook:'], allowedAgentIds: ['Work Bot'], defaultSessionKey: ' hook:all ' };
    expect(parsed({ hooks: limited }).hooks).toMatchObject({ allowedSessionKeyPrefixes: ['hook:'], allowedAgentIds: ['work-bot'], defaultSessionKey: 'hook:all' });
    expect(parsed({ hooks: { ...limited, allowedAgentIds: ['*', 'ops'] } }).hooks.allowedAgentIds).toBeUndefined();
    for (const more of [{ defaultSessionKey: 'main' }, { defaultSessionKey: undefined, allowedSessionKeyPrefixes: ['ci:'] }]) expect(problemsOf({ hooks: { ...limited, ...more } })).toEqual(['hooks.allowedSessionKeyPrefixes']);
  });

  it('names a foreign provider API in a warning and leaves the provider unused', () => {
    const raw = { models: { providers: { g: { api: 'google-generative-ai' } } } };
    expect(warningsOf(raw)).toEqual(['models.providers.g.api']);
    expect(parsed(raw).models.providers.g?.api).toBeUndefined();
  });

  it('gives Discord the general thread bindings where it has none of its own', () => {
    const raw = { session: { threadBindings: { idleHours: 2, maxAgeHours: 9 } }, channels: { discord: { threadBindings: { idleHours: 0.5 } } } };
    expect(parsed(raw).channels.discord.threadBindings).toMatchObject({ idleHours: 0.5, maxAgeHours: 9, enabled: true });
  });

  it('reads command senders as a list or by channel', () => {
    expect(parsed({ commands: { allowFrom: ['a', 5] } }).commands.allowFrom).toEqual({ '*': ['a', '5'] });
    expect(parsed({ commands: { allowFrom: { Slack: ['U1'] } } }).commands.allowFrom).toEqual({ slack: ['U1'] });
    expect(problemsOf({ commands: { allowFrom: 'all' } })).toEqual(['commands.allowFrom']);
  });
});

describe('agents of a configuration', () => {
  const raw = {
    agents: {
      defaults: { model: 'openai/gpt-5', contextTokens: 100_000, compaction: { reserveTokens: 10, memoryFlush: { enabled: false } } },
      list: [
        { id: 'main', name: 'Main' },
        { id: 'Work Bot', default: true, model: { primary: 'local/big/model', fallbacks: ['openai/gpt-5'] }, compaction: { provider: 'x' }, contextTokens: 5_000 },
      ],
    },
    models: { providers: { local: { models: [{ id: 'big/model', contextWindow: 32_000 }] } } },
  };
  const WORK = 'work-bot' as AgentId;

  it('are slugged, with one default', () => {
    expect(configuredAgents(parsed(raw))).toEqual({ ids: ['main', 'work-bot'], defaultAgentId: 'work-bot' });
  });

  it('inherit each value that they do not set themselves', () => {
    const config = parsed(raw);
    expect(agentSettings(config, WORK)).toMatchObject({ contextTokens: 5_000, compaction: { mode: 'safeguard', qualityGuard: { enabled: true }, reserveTokens: 10, memoryFlush: { enabled: false } } });
    expect(agentSettings(config, MAIN)).toMatchObject({ contextTokens: 100_000, compaction: { mode: 'default' } });
  });

  it('are told of a fault in the defaults once', () => {
    const faulty = { agents: { defaults: { model: 'nameless', compaction: { identifierPolicy: 'custom', maxActiveTranscriptBytes: '1mb' } }, list: [{ id: 'a' }, { id: 'b', compaction: { notifyUser: true } }] } };
    const result = parseConfig(faulty);
    expect(result.ok).toBe(false);
    expect(problemsOf(faulty)).toEqual(['agents.defaults.compaction.identifierInstructions']);
    expect(result.warnings.map((warning) => warning.path)).toEqual(['agents.defaults.model.primary', 'agents.defaults.compaction.maxActiveTranscriptBytes']);
  });

  it('have a model and a window', () => {
    const config = parsed(raw);
    expect(modelFor(config, MAIN)).toEqual({ provider: 'openai', model: 'gpt-5' });
    expect(modelFor(config, WORK)).toEqual({ provider: 'local', model: 'big/model' });
    expect([contextTokensFor(config, MAIN), contextTokensFor(config, WORK), contextTokensFor(config, WORK, parseModelRef('openai/gpt-5'))]).toEqual([100_000, 32_000, 5_000]);
    expect(contextTokensFor(defaultConfig(), MAIN, { provider: '__proto__', model: 'x' })).toBe(200_000);
  });

  it('must be distinct after slugging and need {agentId} in a shared store path', () => {
    expect(problemsOf({ agents: { list: [{ id: 'a b' }, { id: 'A-B' }, {}] } })).toEqual(['agents.list[2].id', 'agents.list[1].id']);
    expect(problemsOf({ session: { store: '/one.json' }, agents: { list: [{ id: 'a' }, { id: 'b' }] } })).toEqual(['session.store']);
  });

  it('have their stores below the state directory, or where the file says', () => {
    expect(storePathFor(defaultConfig(), WORK, PLACES)).toBe('/srv/state/agents/work-bot/sessions/sessions.json');
    expect(storePathFor(parsed({ session: { store: '~/s/{agentId}/{agentId}.json' } }), WORK, PLACES)).toBe('/home/ann/s/work-bot/work-bot.json');
  });

  it('are bound with conditions that are all understood', () => {
    const config = parsed({ bindings: [{ match: { channel: 'Slack', teamId: 'T9' }, agentId: 'Support' }, { match: { channel: 'discord', roles: ['x'] }, agentId: 'main' }] });
    expect(config.bindings).toMatchObject([{ agentId: 'support', channel: 'slack', teamId: 'T9', neverMatches: false }, { neverMatches: true }]);
    expect(problemsOf({ bindings: [{ match: { peer: { kind: 'x' } } }] }).sort()).toEqual(['bindings[0].agentId', 'bindings[0].match.channel', 'bindings[0].match.peer.id', 'bindings[0].match.peer.kind']);
  });
});

describe('describeOptions', () => {
  it('has a row with type, default and meaning for every option, each once', () => {
    const rows = describeOptions();
    expect(rows.length).toBeGreaterThan(120);
    expect(new Set(rows.map((row) => row.key)).size).toBe(rows.length);
    for (const row of rows) expect([row.key, row.type, row.defaultText, row.meaning].every((text) => text.length > 0)).toBe(true);
    expect(rows).toContainEqual({ key: 'session.maintenance.pruneAfter', type: 'duration', unit: 'd', defaultText: '"30d"', meaning: 'age at which an unused session is archived; 0 off' });
  });

  it('prints defaults that the parser itself accepts', () => {
    for (const [key, option] of Object.entries<Option<unknown>>(OPTIONS)) {
      if (option.fallback !== undefined) expect({ key, ...option.parse(JSON.parse(option.defaultText)) }).toEqual({ key, ok: true, value: option.fallback });
    }
  });
});
