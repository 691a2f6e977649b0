/**
 * The configuration file as a complete, typed, frozen object, or everything that is wrong with it.
 *
 * The file is shared with the gateway: sections that this system does not know are not judged.
 * Values that could remove data are refused when they cannot be understood, never replaced.
 */
import { parseAgents } from './parse-agents';
import { parseBindings, parseCommands, parseCron, parseDeployment, parseGateway, parseHooks, parseModels, parseQueue, parseTools, type Environment } from './parse-sections';
import { overrideWriteLock, parseSession, parseThreadBindings } from './parse-session';
import { Report, type ConfigProblem } from './section';

export type ConfigResult =
  | { readonly ok: true; readonly config: SessionConfig; readonly warnings: readonly ConfigProblem[] }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[]; readonly warnings: readonly ConfigProblem[] };

type DeepReadonly<T> = T extends string | number | boolean | undefined | null ? T : { readonly [K in keyof T]: DeepReadonly<T[K]> };

/** Every setting with its default applied; limits are 0 when off, durations end in `Ms`. */
export type SessionConfig = DeepReadonly<ReturnType<typeof readConfig>>;

/**
 * @param raw the parsed JSON5 of the file; `undefined` when there is none, which means all defaults.
 * @param env the environment; only the names documented for configuration are looked at.
 */
export function parseConfig(raw: unknown, env: Environment = {}): ConfigResult {
  const report = new Report();
  const config = readConfig(report, raw, env);
  report.close();
  const { problems, warnings } = report;
  if (problems.length > 0) return { ok: false, problems, warnings };
  return { ok: true, config: deepFreeze(config), warnings };
}

/** The configuration of a missing file in an empty environment. */
export function defaultConfig(): SessionConfig {
  const result = parseConfig(undefined);
  if (!result.ok) throw new Error('the defaults are no valid configuration');
  return result.config;
}

/** One problem as a line: path, value, what is allowed. */
export function formatProblem(problem: ConfigProblem): string {
  return `${problem.path} = ${problem.value}: ${problem.message}`;
}

function readConfig(report: Report, raw: unknown, env: Environment) {
  const root = report.open(raw, '', 'ignore');
  const sessionSection = root.section('session', 'warn');
  const session = parseSession(sessionSection);
  const agents = parseAgents(root.section('agents', 'warn'));
  if (agents.list.length > 1 && session.store !== undefined && !session.store.includes('{agentId}')) {
    sessionSection.refuse('store', 'must hold {agentId} when there are several agents');
  }
  const discord = root.section('channels', 'ignore').section('discord', 'ignore');
  return {
    session: { ...session, writeLock: overrideWriteLock(session.writeLock, env, (name, value, message) => report.refuse(name, value, message)) },
    agents,
    tools: parseTools(root.section('tools', 'warn')),
    bindings: parseBindings(root, new Set(agents.list.map((agent) => agent.id))),
    gateway: parseGateway(root.section('gateway', 'warn'), env),
    hooks: parseHooks(root.section('hooks', 'warn'), env),
    cron: parseCron(root.section('cron', 'warn')),
    channels: { discord: { threadBindings: parseThreadBindings(report.open(discord.raw('threadBindings'), discord.pathOf('threadBindings'), 'warn', sessionSection.child('threadBindings'))) } },
    models: parseModels(root.section('models', 'ignore'), env),
    commands: parseCommands(root.section('commands', 'warn')),
    messages: { queue: parseQueue(root.section('messages', 'ignore').section('queue', 'warn')) },
    ...parseDeployment(root, env),
  };
}

function deepFreeze<T>(value: T): DeepReadonly<T> {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value as DeepReadonly<T>;
}
