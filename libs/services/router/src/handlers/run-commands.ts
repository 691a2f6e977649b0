/**
 * Chat commands about what runs: `/stop`, `/kill`, `/subagents`. They are carried out here, because
 * sub-agents may be of any agent; what they came to is given to the session's owner, which answers the
 * sender with it as it answers every command. What they are not is left to the owner.
 */
import { ChatCommand, InvokeToolRequest } from '@sessions/contracts';
import type { ReplyRoute } from '@sessions/contracts';
import { commandVerdict, isJsonObject, parseChatCommand } from '@sessions/domain';
import type { ChatIntent, CommandSender, JsonObject, JsonValue } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { stopAll } from './abort-run';
import { runTool } from './invoke-tool';
import type { Address } from './resolve-address';

export interface CommandText extends Address {
  readonly text: string;
  readonly hasAttachments: boolean;
  readonly sender: Pick<CommandSender, 'isAuthorised' | 'isOwner'>;
  /** Where the sender is answered, and with it what a sub-agent that is started here has to say. */
  readonly replyRoute?: ReplyRoute | undefined;
}

type RunIntent = Extract<ChatIntent, { kind: 'stop' | 'kill' | 'subagents' }>;

/** Answers of a log that are shown. */
const LOG_MESSAGES = 5;

/** @returns the command as carried out; undefined: the message is none of these, or its sender may not */
export async function runCommand(deps: HandlerDeps, asked: CommandText, context: CallContext): Promise<ChatCommand | undefined> {
  const intent = asked.hasAttachments ? undefined : parseChatCommand(asked.text, deps.config().session.resetTriggers);
  if (intent === undefined || (intent.kind !== 'stop' && intent.kind !== 'kill' && intent.kind !== 'subagents')) return undefined;
  if (commandVerdict(intent, { ...asked.sender, isCommandLine: false }) !== 'run') return undefined;
  return ChatCommand.create({ name: intent.kind, fromOwner: asked.sender.isOwner, reply: await replyTo(deps, intent, asked, context) });
}

async function replyTo(deps: HandlerDeps, intent: RunIntent, asked: CommandText, context: CallContext): Promise<string> {
  const tool = (name: string, args: JsonObject): Promise<Told> => callTool(deps, name, args, asked, context);
  if (intent.kind === 'stop') {
    const { runIds, children } = await stopAll(deps, asked, 'stop', context);
    return stopReply(runIds.length, children.length);
  }
  if (intent.kind === 'kill') return killReply(await tool('subagents', { action: 'kill', target: intent.target }));
  const [, verb = '', rest = ''] = /^(\S+)\s*([\s\S]*)$/.exec(intent.args) ?? [];
  const [, target = '', text = ''] = /^(\S+)\s*([\s\S]*)$/.exec(rest.trim()) ?? [];
  switch (verb.toLowerCase()) {
    case 'list':
      return listReply(await tool('subagents', { action: 'list' }));
    case 'kill':
      return target === '' ? usage('kill <id|#|all>') : killReply(await tool('subagents', { action: 'kill', target }));
    case 'steer':
      return text === '' ? usage('steer <id|#> <message>') : doneReply(await tool('subagents', { action: 'steer', target, message: text }), 'Steered.');
    case 'spawn':
      return rest.trim() === '' ? usage('spawn <task>') : spawnReply(await tool('sessions_spawn', { task: rest.trim() }));
    default:
      return target === '' ? usage(`${verb.toLowerCase()} <id|#>`) : ofOne(verb.toLowerCase(), target, text, tool);
  }
}

/** `info`, `log`, `send`: of one sub-agent, by its place in the list, its label or its key. */
async function ofOne(verb: string, target: string, text: string, tool: (name: string, args: JsonObject) => Promise<Told>): Promise<string> {
  const listed = await tool('subagents', { action: 'list', recentMinutes: 1_440 });
  if (listed.error !== undefined) return listed.error;
  const found = rowsOf(listed.details).filter((row) => [String(row.index), row.label, row.sessionKey].includes(target) || String(row.sessionKey).endsWith(`:subagent:${target}`));
  const [row] = found;
  if (row === undefined || found.length > 1) return row === undefined ? `No sub-agent found: ${target}` : `Several sub-agents match ${target}.`;
  const sessionKey = String(row.sessionKey);
  if (verb === 'info') return Object.entries(row).filter(([, value]) => value !== undefined && value !== null).map(([name, value]) => `${name}: ${String(value)}`).join('\n');
  if (verb === 'send') return text === '' ? usage('send <id|#> <message>') : doneReply(await tool('sessions_send', { sessionKey, message: text, timeoutSeconds: 0 }), 'Sent.');
  const told = await tool('sessions_history', { sessionKey, limit: LOG_MESSAGES });
  const { messages } = told.details;
  return told.error ?? ((Array.isArray(messages) ? (messages as readonly JsonValue[]) : []).map(logLine).join('\n') || 'Nothing was said yet.');
}

export const stopReply = (runs: number, children: number): string =>
  runs + children === 0 ? 'Stopped 0 runs: none was active or queued.' : `Stopped ${counted(runs, 'run')}${children === 0 ? '' : ` and ${counted(children, 'sub-agent')}`}.`;

const counted = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;
const usage = (text: string): string => `Usage: /subagents ${text}`;

interface Told {
  readonly details: JsonObject;
  /** Why nothing came of it. */
  readonly error?: string | undefined;
}

async function callTool(deps: HandlerDeps, name: string, args: JsonObject, { key, replyRoute }: CommandText, context: CallContext): Promise<Told> {
  const outcome = await runTool(deps, InvokeToolRequest.create({ name, argumentsJson: Buffer.from(JSON.stringify(args)), sessionKey: key, replyRoute }), context);
  if (outcome.kind === 'invalid') return { details: {}, error: outcome.message };
  if (outcome.kind !== 'answer') return { details: {}, error: outcome.kind === 'unavailable' ? 'Sub-agents are not available in this session.' : 'The command failed.' };
  const { details } = outcome.answer;
  const isRefused = details.status === 'error' || details.status === 'forbidden';
  return { details, ...(isRefused && { error: typeof details.error === 'string' ? details.error : 'The command failed.' }) };
}

const doneReply = ({ error }: Told, text: string): string => error ?? text;
const killReply = ({ details, error }: Told): string => error ?? `Killed ${counted(Array.isArray(details.killed) ? details.killed.length : 0, 'sub-agent')}.`;
const spawnReply = ({ details, error }: Told): string => error ?? `Started ${String(details.childSessionKey)}.`;

function rowsOf({ active, recent }: JsonObject): readonly JsonObject[] {
  return [active, recent].flatMap((rows) => (Array.isArray(rows) ? (rows as readonly JsonValue[]).filter(isJsonObject) : []));
}

function listReply({ details, error }: Told): string {
  if (error !== undefined) return error;
  const rows = rowsOf(details);
  if (rows.length === 0) return 'No sub-agents in the last 30 minutes.';
  return rows.map(({ index, status, label, sessionKey }) => `#${String(index)} ${String(status)} ${typeof label === 'string' ? `${label} ` : ''}${String(sessionKey)}`).join('\n');
}

function logLine(message: JsonValue): string {
  const { role, content } = isJsonObject(message) ? message : {};
  const blocks = Array.isArray(content) ? (content as readonly JsonValue[]) : [];
  const text = typeof content === 'string' ? content : blocks.flatMap((block) => (isJsonObject(block) && typeof block.text === 'string' ? [block.text] : [])).join(' ');
  return `${String(role)}: ${text}`;
}
