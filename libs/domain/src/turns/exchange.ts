/**
 * What follows a message between two sessions (tools §5.1): requester and target answer each other,
 * requester first, and at last the target may tell its channel of it. Each step is a delivery that the
 * end of the step before opens, so there is no loop in any process that could be lost or run twice.
 */
import { FollowUp, InterSession, OutboundMessage, RunRequest, SendExchange, SessionDelivery } from '@sessions/contracts';
import type { SessionConfig } from '../config/parse-config';
import { keyRest } from '../keys/key-kind';
import { isSameKey } from '../routing/visibility';
import { cutText } from '../transcript/preview';
import type { RunEnd } from './follow-ups';
import { INTER_SESSION_CHARS_MAX, RECALLED_CHARS_MAX, chainEnd, costSoFar, followUpRunId, interSessionText } from './inter-session';
import { isExactly, isSilentText } from './silent-words';
import { SESSION_TOOL_NAMES } from './tool-definitions';

export interface ExchangeStart {
  readonly requesterKey: string;
  readonly targetKey: string;
  readonly text: string;
  readonly hops: number;
  /** Channel of the target; undefined: none. */
  readonly announceRoute?: SendExchange['announceRoute'];
  /** The target spawned the requester: its result goes there anyway. */
  readonly isToParent?: boolean;
  /** False: the requester is no session yet, so there is nobody who would answer. Default: true. */
  readonly hasTurns?: boolean;
}

/** What the first run of an exchange carries; undefined: nothing follows its answer. */
export function startExchange({ requesterKey, targetKey, text, hops, announceRoute, isToParent = false, hasTurns = true }: ExchangeStart, settings: SessionConfig): FollowUp | undefined {
  if (isToParent) return undefined;
  const value = SendExchange.create({
    requesterKey,
    targetKey,
    step: 'request',
    turnsLeft: hasTurns && takesTurns(requesterKey) ? settings.session.agentToAgent.maxPingPongTurns : 0,
    requestText: cutText(text, RECALLED_CHARS_MAX),
    hops,
    announceRoute,
  });
  return FollowUp.create({ kind: { $case: 'exchange', value } });
}

/** What the answering session is told beside the message. */
export function requestPrompt(requesterKey: string): string {
  return `The message comes from the agent of another session (${requesterKey}), not from a person. What you answer is given to that agent.`;
}

/** Jobs and hooks have nobody who would go on talking. */
function takesTurns(requesterKey: string): boolean {
  const rest = keyRest(requesterKey);
  return !rest.startsWith('cron:') && !rest.startsWith('hook:');
}

/** @param end of a run that carries `exchange`; deliveries of its own answer are not part of this. */
export function exchangeFollowUps(end: RunEnd, exchange: SendExchange, settings: SessionConfig): readonly OutboundMessage[] {
  if (exchange.step === 'announce') return [];
  const reply = replyOf(end);
  const heard: SendExchange = reply === undefined ? exchange : { ...exchange, firstReply: exchange.firstReply ?? cutText(reply, RECALLED_CHARS_MAX), latestReply: cutText(reply, RECALLED_CHARS_MAX) };
  const hops = exchange.hops + 1;
  const costUsd = costSoFar(end.usage, end.interSession?.costUsd);
  const goesOn = reply !== undefined && exchange.turnsLeft > 0 && chainEnd({ hops, costUsd }, settings) === undefined;
  return goesOn ? [replyTurn(end, heard, reply, hops, costUsd)] : announceTurn(end, heard, costUsd);
}

/** Undefined where the conversation ends: the word for it, nothing said, or no answer at all. */
function replyOf({ outcome, text = '' }: RunEnd): string | undefined {
  return outcome !== 'ok' || text.trim() === '' || isSilentText(text) || isExactly(text, 'REPLY_SKIP') ? undefined : text;
}

function replyTurn(end: RunEnd, exchange: SendExchange, text: string, hops: number, costUsd: number | undefined): OutboundMessage {
  const { requesterKey, targetKey, turnsLeft } = exchange;
  const listener = isSameKey(end.sessionKey, requesterKey) ? targetKey : requesterKey;
  return toSession(end, listener, { tool: 'sessions_send', text: cutText(text, INTER_SESSION_CHARS_MAX), hops, costUsd }, {
    runId: followUpRunId(end.run.runId, 'reply'),
    source: 'sessions_send',
    extraSystemPrompt: `You are talking with the agent of another session (${end.sessionKey}); no person reads along. After this message ${String(turnsLeft - 1)} more turns are possible. Answer the other agent, or answer exactly REPLY_SKIP when nothing is left to say.`,
    followUp: FollowUp.create({ kind: { $case: 'exchange', value: { ...exchange, step: 'reply', turnsLeft: turnsLeft - 1, hops } } }),
  });
}

/** Where the target has a channel and gave an answer, its agent says what the channel hears of it. */
function announceTurn(end: RunEnd, exchange: SendExchange, costUsd: number | undefined): readonly OutboundMessage[] {
  const { requesterKey, targetKey, requestText, firstReply, latestReply, announceRoute } = exchange;
  if (announceRoute === undefined || firstReply === undefined) return [];
  const text = [
    'An exchange with the agent of another session is over.',
    `Original request:\n${requestText}`,
    `First reply:\n${firstReply}`,
    `Latest reply:\n${latestReply ?? firstReply}`,
  ].join('\n\n');
  const source = { tool: 'announce', text, hops: exchange.hops, costUsd };
  return [
    toSession({ ...end, sessionKey: requesterKey }, targetKey, source, {
      runId: followUpRunId(end.run.runId, 'announce'),
      source: 'announce',
      deliver: true,
      replyRoute: announceRoute,
      deniedTools: [...SESSION_TOOL_NAMES],
      extraSystemPrompt: 'Answer with what the people on your channel should hear of this exchange. Your answer is posted there as it is. Answer exactly ANNOUNCE_SKIP to post nothing.',
      followUp: FollowUp.create({ kind: { $case: 'exchange', value: { ...exchange, step: 'announce', turnsLeft: 0 } } }),
    }),
  ];
}

interface Said {
  readonly tool: string;
  readonly text: string;
  readonly hops: number;
  readonly costUsd: number | undefined;
}

/** A message from the session that `end` names to another one, with the turn that it starts there. */
export function toSession(end: Pick<RunEnd, 'sessionKey' | 'run' | 'interSession'>, key: string, { tool, text, hops, costUsd }: Said, run: Partial<RunRequest> | undefined): OutboundMessage {
  const interSession = InterSession.create({ sourceSessionKey: end.sessionKey, sourceTool: tool, runId: end.run.runId, hops, traceId: end.interSession?.traceId, traceAgentId: end.interSession?.traceAgentId, costUsd });
  const delivery = SessionDelivery.create({
    sessionKey: key,
    interSession,
    run: run === undefined ? undefined : RunRequest.create({ deliver: false, queueMode: 'queue', ...run }),
    create: false,
  });
  return OutboundMessage.create({ text: interSessionText(interSession, text), toSession: delivery });
}
