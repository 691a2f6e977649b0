/**
 * The session tools as a model sees them: names, descriptions, and the JSON schema of the arguments.
 * What the arguments have to be is judged by `tool-arguments.ts`; the schemas say the same to models.
 */
import type { JsonObject } from '../json';
import { TOOL_KINDS } from '../keys/key-kind';

export const SESSION_TOOL_NAMES = ['session_status', 'sessions_list', 'sessions_history', 'sessions_send', 'sessions_spawn', 'sessions_yield', 'subagents', 'agents_list'] as const;
export type SessionToolName = (typeof SESSION_TOOL_NAMES)[number];

export interface ToolDefinition {
  readonly name: SessionToolName;
  /** For the model. */
  readonly description: string;
  /** JSON schema of the arguments, closed. */
  readonly parameters: JsonObject;
  /** A call may change something, so it needs an idempotency key to be made again safely. */
  readonly mutates: boolean;
}

/** Bounds of arguments. Where a tool holds a number to its bound instead of refusing it, its schema says so. */
export const TOOL_LIMITS = {
  listLimitDefault: 50,
  listLimitMax: 200,
  listMessagesMax: 20,
  historyLimitDefault: 200,
  historyLimitMax: 1_000,
  sendTimeoutSecondsDefault: 30,
  sendTimeoutSecondsMax: 600,
  recentMinutesDefault: 30,
  /** One day. */
  recentMinutesMax: 1_440,
  /** UTF-16 units of a message or a task. */
  textLengthMax: 256 * 1024,
  keyLengthMax: 512,
  labelLengthMax: 512,
  /** 24 days: what a timer can count. */
  runTimeoutSecondsMax: 2_073_600,
} as const;

const text = (description: string): JsonObject => ({ type: 'string', description });
const flag = (description: string): JsonObject => ({ type: 'boolean', description });
const whole = (description: string, minimum?: number, maximum?: number): JsonObject => ({ type: 'integer', ...(minimum !== undefined && { minimum }), ...(maximum !== undefined && { maximum }), description });
const word = (description: string, words: readonly string[]): JsonObject => ({ type: 'string', enum: [...words], description });
const closed = (properties: Readonly<Record<string, JsonObject>>, required: readonly string[] = []): JsonObject => ({
  type: 'object',
  properties,
  ...(required.length > 0 && { required }),
  additionalProperties: false,
});

const KEY = 'Session key as sessions_list shows it, "main", "current" (this session), or a session id from sessions_list.';
const L = TOOL_LIMITS;

export const SESSION_TOOLS: readonly ToolDefinition[] = [
  {
    name: 'session_status',
    description: 'Show the card of one session: model, messages, tokens, cost, state. With `model` it also sets the model of that session for its next turns ("default" clears the choice); leave `model` out to only look.',
    parameters: closed({
      sessionKey: text(`${KEY} Default: current.`),
      model: text('provider/model to use from the next turn on, or "default". Leave out to change nothing.'),
    }),
    mutates: true,
  },
  {
    name: 'sessions_list',
    description: 'List the sessions you may see, newest first, to find a session key. Text of conversations is only included with messageLimit, includeLastMessage or includeDerivedTitles.',
    parameters: closed({
      kinds: { type: 'array', items: { type: 'string', enum: [...TOOL_KINDS] }, description: 'Only these kinds. Default: all.' },
      limit: whole(`Rows at most. Default ${L.listLimitDefault}; numbers outside 1 to ${L.listLimitMax} are held to them.`),
      activeMinutes: whole('Only sessions active within the last so many minutes.', 1),
      messageLimit: whole(`Last messages to show per row, without tool results. Default 0; larger numbers are held to ${L.listMessagesMax}.`, 0),
      label: text('Only the session with exactly this label.'),
      agentId: text('Only sessions of this agent.'),
      search: text('Only rows whose name, label, subject, id, key or model contains this text. Texts of conversations are not searched.'),
      includeDerivedTitles: flag('Give each row a title taken from its first message.'),
      includeLastMessage: flag('Give each row the beginning of its last message.'),
    }),
    mutates: false,
  },
  {
    name: 'sessions_history',
    description: 'Read the messages of one session, oldest of the page first. Secrets are masked and long texts cut; the flags of the answer say so.',
    parameters: closed(
      {
        sessionKey: text(KEY),
        limit: whole(`Newest messages to read. Default ${L.historyLimitDefault}; larger numbers are held to ${L.historyLimitMax}.`, 1),
        includeTools: flag('Include the results of tools. Default: false.'),
      },
      ['sessionKey'],
    ),
    mutates: false,
  },
  {
    name: 'sessions_send',
    description:
      'Send a message to another session, whose agent answers it. Give `message` with exactly one of `sessionKey` and `label`. Status "ok" has the answer in `reply`; "accepted" and "timeout" mean that the other session goes on: do not send the message again, collect its answer with `runId` alone. Never send to your own session.',
    parameters: closed({
      sessionKey: text(`${KEY} Not together with label.`),
      label: text('Label of the session. Not together with sessionKey.'),
      message: text('What to say. Needed unless runId is given.'),
      timeoutSeconds: whole(`How long to wait for the answer. Default ${L.sendTimeoutSecondsDefault}; 0: do not wait.`, 0, L.sendTimeoutSecondsMax),
      runId: text('Instead of a message: the runId of an earlier sessions_send, whose answer is to be collected.'),
    }),
    mutates: true,
  },
  {
    name: 'sessions_spawn',
    description:
      'Start a sub-agent in a session of its own, for work that can go on beside yours. It answers at once with status "accepted"; the result comes to you later as a message, by itself. Do not ask for it again and again: go on, or end your turn with sessions_yield. The sub-agent knows nothing of this conversation unless `task` says it or `context` is "fork".',
    parameters: closed(
      {
        task: text('What to do, complete in itself: aim, what is known, what the answer must contain.'),
        label: text('Short name shown in lists.'),
        agentId: text('Agent to run as; see agents_list. Default: yours.'),
        runtime: word('Default: subagent.', ['subagent', 'acp']),
        model: text('provider/model. Default: that of sub-agents, else yours. An unknown model is refused.'),
        thinking: text('Thinking level. Default: yours.'),
        runTimeoutSeconds: whole('Ends the run after so many seconds; 0: never. Default: as configured.', 0, L.runTimeoutSecondsMax),
        thread: flag('Bind the session to a thread of your chat channel. Default: false.'),
        mode: word('"run": one task; "session": stays for further messages, needs thread: true.', ['run', 'session']),
        cleanup: word('What becomes of the session when it is done. Default: keep.', ['delete', 'keep']),
        sandbox: word('"require" refuses unless the sub-agent is sandboxed. Default: inherit.', ['inherit', 'require']),
        context: word('"fork" begins with a copy of this conversation. Default: isolated.', ['isolated', 'fork']),
        attachments: {
          type: 'array',
          description: 'Files for the sub-agent, found under .openclaw/attachments of its workspace.',
          items: closed(
            {
              name: text('File name without a path.'),
              content: text('Contents, as `encoding` says.'),
              encoding: word('Default: utf8.', ['utf8', 'base64']),
              mimeType: text('Such as text/plain.'),
            },
            ['name', 'content'],
          ),
        },
        attachAs: { ...closed({ mountPath: text('Reserved.') }), description: 'Reserved; has no effect.' },
      },
      ['task'],
    ),
    mutates: true,
  },
  {
    name: 'sessions_yield',
    description: 'End this turn now and wait for the results of your sub-agents: each arrives as a new message. Call it last, only when there is nothing left to do until then.',
    parameters: closed({ message: text('What to note about the wait.') }),
    mutates: false,
  },
  {
    name: 'subagents',
    description: 'The sub-agents that this session has spawned: list them with their states, steer one (interrupt it with a message), or kill one and everything it spawned.',
    parameters: closed({
      action: word('Default: list.', ['list', 'steer', 'kill']),
      recentMinutes: whole(`For list: also those that ended within so many minutes. Default ${L.recentMinutesDefault}.`, 1, L.recentMinutesMax),
      target: text('For steer and kill: index, label, run id or session key from the list. For kill also "all".'),
      message: text('For steer: what to tell the sub-agent.'),
    }),
    mutates: true,
  },
  {
    name: 'agents_list',
    description: 'The agents that you may name as agentId of sessions_spawn.',
    parameters: closed({}),
    mutates: false,
  },
];

/** Undefined for a name that no session tool has. */
export function sessionTool(name: string): ToolDefinition | undefined {
  return SESSION_TOOLS.find((tool) => tool.name === name);
}
