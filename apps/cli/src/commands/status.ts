/** `openclaw status`: where the stores are, the newest sessions, what needs attention. */
import { gatewaySettings } from './gateway-call';
import { loadCliContext } from '../cli-context';
import type { CliContext } from '../cli-context';
import { COLUMNS_WITHOUT_TERMINAL, EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import { parseTimeoutMs } from '../flags/list-flags';
import { connectGateway } from '../gateway/gateway-client';
import { GatewayRequestError, GatewayTransportError } from '../gateway/gateway-errors';
import { resolveGatewayTarget } from '../gateway/gateway-target';
import { readStatus } from '../offline/read-status';
import type { AgentStatus, AgentUsage, OverLimit } from '../offline/read-status';
import { formatLongAge } from '../render/age';
import { keyText } from '../render/key-text';
import { renderTable } from '../render/table';
import { formatTokens } from '../render/tokens';
import { visibleText } from '../render/visible-text';
import { VERSION } from '../version';

export interface StatusFlags {
  readonly json?: boolean | undefined;
  readonly all?: boolean | undefined;
  readonly deep?: boolean | undefined;
  readonly usage?: boolean | undefined;
  readonly verbose?: boolean | undefined;
  readonly timeout?: string | undefined;
}

const PROBE_TIMEOUT_MS = 3000;

interface GatewayStatus {
  readonly url: string;
  readonly reachable: boolean;
  /** Why it is not reachable. */
  readonly error?: string;
  readonly server?: unknown;
  /** What it says of itself; only with --deep. */
  readonly health?: unknown;
}

/** Asks whether a gateway answers; never throws for one that does not. */
async function probeGateway(context: CliContext, timeoutMs: number, deep: boolean): Promise<GatewayStatus> {
  const target = resolveGatewayTarget({}, gatewaySettings(context));
  const { url } = target;
  try {
    const client = await connectGateway({ target, scopes: ['operator.read'], timeoutMs, clientVersion: VERSION });
    try {
      const health = deep ? await client.call('health', {}) : undefined;
      return { url, reachable: true, server: client.hello['server'], ...(deep && { health }) };
    } finally {
      client.close();
    }
  } catch (error) {
    if (error instanceof GatewayRequestError || error instanceof GatewayTransportError) return { url, reachable: false, error: error.message };
    throw error;
  }
}

function renderAgent({ agentId, path, count, recent, owner, usage, sendersFromNewest, announced, announcedCount, undeliveredCount, overLimit }: AgentStatus, widthMax: number): string[] {
  const rows = recent.map((row) => [keyText(row.key), formatLongAge(row.ageMs), row.model ?? 'unknown', formatTokens(row.totalTokens, row.contextTokens)]);
  const table = renderTable([{ title: 'KEY' }, { title: 'LAST ACTIVE' }, { title: 'MODEL' }, { title: 'TOKENS' }], rows, { widthMax, separator: '  ' });
  return [
    '',
    `Agent: ${agentId}`,
    `Session store: ${path}`,
    ...(owner === null ? [] : [`Owner: process ${owner.pid} (${visibleText(owner.instance)})`]),
    count === null ? 'Sessions: unreadable' : `Sessions: ${count}`,
    ...(overLimit === undefined ? [] : [limitLine(overLimit)]),
    ...(undeliveredCount === 0 ? [] : [`Undelivered: messages of ${undeliveredCount} ${undeliveredCount === 1 ? 'session' : 'sessions'} wait for an acknowledgement`]),
    ...(announcedCount === 0 ? [] : [`Announced removals: ${announcedCount} (a message keeps a session; what is removed is archived)`]),
    ...announced.map(({ key, notBeforeMs }) => `  ${keyText(key)}  not before ${new Date(notBeforeMs).toISOString()}`),
    ...(announcedCount > announced.length ? [`  and ${announcedCount - announced.length} more`] : []),
    ...(sendersFromNewest === undefined ? [] : [`Senders: looked for in the newest ${sendersFromNewest} sessions only`]),
    ...(usage === undefined ? [] : [usageLine(usage)]),
    ...(rows.length === 0 ? [] : table.map((line) => `  ${line}`)),
  ];
}

function limitLine({ maxEntries, protectedCount }: OverLimit): string {
  const left = protectedCount >= maxEntries ? 'which alone reach it: nothing goes for their number' : 'which stay whatever is cleaned up';
  return `Over maxEntries: the limit is ${maxEntries}; ${protectedCount} protected (in use, main, groups, channels, threads), ${left}`;
}

/** Unknown stays unknown: it is neither nothing nor left out. */
function usageLine({ inputTokens, outputTokens, estimatedCostUsd, missingCostEntries = 0 }: AgentUsage): string {
  const cost = estimatedCostUsd === undefined ? 'unknown' : `$${estimatedCostUsd.toFixed(4)}`;
  const missing = missingCostEntries === 0 ? '' : ` (${missingCostEntries} ${missingCostEntries === 1 ? 'run' : 'runs'} without a known price)`;
  return `Tokens in: ${inputTokens}, out: ${outputTokens}, cost: ${cost}${missing}`;
}

function gatewayLine({ url, reachable, error }: GatewayStatus): string {
  return reachable ? `Gateway: answers at ${url}` : `Gateway: no answer at ${url} (${error ?? 'unknown error'})`;
}

export async function runStatus(io: CliIo, flags: StatusFlags): Promise<ExitCode> {
  const timeoutMs = parseTimeoutMs(flags.timeout, PROBE_TIMEOUT_MS);
  const context = loadCliContext(io);
  if (flags.verbose === true) io.err(`debug: configuration ${context.environment.configPath}${context.configExists ? '' : ' (none, defaults)'}\n`);
  const { sessions, warnings: found } = await readStatus(context, { nowMs: io.nowMs(), all: flags.all === true, usage: flags.usage === true });
  const gateway = await probeGateway(context, timeoutMs, flags.deep === true);
  const warnings = [...found, ...context.warnings.map(({ path, message }) => `${path}: ${message}`)];
  if (flags.json === true) {
    io.out(`${JSON.stringify({ version: VERSION, stateDir: context.environment.stateDir, gateway, sessions, warnings }, null, 2)}\n`);
    return EXIT.ok;
  }
  const widthMax = io.columns() ?? COLUMNS_WITHOUT_TERMINAL;
  const lines = [
    `OpenClaw ${VERSION}`,
    `State directory: ${context.environment.stateDir}`,
    gatewayLine(gateway),
    ...(gateway.health === undefined ? [] : [`Health: ${JSON.stringify(gateway.health)}`]),
    `Sessions: ${sessions.count} in ${sessions.paths.length} ${sessions.paths.length === 1 ? 'store' : 'stores'}`,
    ...sessions.byAgent.flatMap((agent) => renderAgent(agent, widthMax)),
    ...(warnings.length === 0 ? [] : ['', ...warnings.map((warning) => `Warning: ${visibleText(warning)}`)]),
  ];
  io.out(`${lines.join('\n')}\n`);
  return EXIT.ok;
}
