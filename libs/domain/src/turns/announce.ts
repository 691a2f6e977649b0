/**
 * What follows the run of a sub-agent (tools §6.4): where its requester has a channel the sub-agent is
 * asked once more what to post there; then the result goes to the channel as one block of fixed form,
 * and to the session that spawned it as a message. Each is a delivery with an id of its own, opened
 * by the end of the run before it.
 */
import { FollowUp, OutboundMessage, SpawnClaim } from '@sessions/contracts';
import { agentSettings } from '../config/agents';
import type { SessionConfig } from '../config/parse-config';
import type { AgentId } from '../ids';
import { parseSessionKey } from '../keys/session-key';
import { slugAgentId } from '../keys/slug-id';
import { cutText } from '../transcript/preview';
import { toSession } from './exchange';
import type { RunEnd } from './follow-ups';
import { INTER_SESSION_CHARS_MAX, RECALLED_CHARS_MAX, costSoFar, followUpRunId } from './inter-session';
import { isExactly, isSilentText } from './silent-words';
import { statsLine } from './stats-line';
import { SESSION_TOOL_NAMES } from './tool-definitions';

/** What is said of how a run ended; never taken from what a model wrote. */
const STATUS: Readonly<Record<string, string>> = { ok: 'completed successfully', error: 'failed', timeout: 'timed out' };

/** @param end of a run that carries `claim` */
export function spawnFollowUps(end: RunEnd, claim: SpawnClaim, settings: SessionConfig): readonly OutboundMessage[] {
  if (claim.step === 'announce') return results(end, claim, announcedText(end));
  const resultText = resultOf(end);
  const ended: SpawnClaim = {
    ...claim,
    outcome: end.outcome,
    resultText: resultText === undefined ? undefined : cutText(resultText, INTER_SESSION_CHARS_MAX),
    errorMessage: end.errorMessage === undefined ? undefined : cutText(end.errorMessage, RECALLED_CHARS_MAX),
    startedAtMs: end.startedAtMs,
    endedAtMs: end.endedAtMs,
    usage: [...end.usage],
  };
  // Who was stopped is not asked for words, and neither is who failed.
  if (end.outcome !== 'ok' || channelOf(ended) === undefined) return results(end, ended, undefined);
  return [announceTurn(end, ended, settings)];
}

/** Only sessions that no other one spawned have a channel. */
function channelOf({ route, parentKey }: SpawnClaim): SpawnClaim['route'] {
  return parseSessionKey(parentKey).form === 'subagent' ? undefined : route;
}

/** A run without a last word has said it with its last tool. */
function resultOf({ outcome, text = '', lastToolResultText }: RunEnd): string | undefined {
  if (outcome !== 'ok') return undefined;
  if (text.trim() !== '') return text;
  return lastToolResultText === undefined || lastToolResultText.trim() === '' ? undefined : lastToolResultText;
}

function announceTurn(end: RunEnd, claim: SpawnClaim, settings: SessionConfig): OutboundMessage {
  const { announceTimeoutMs } = agentSettings(settings, agentOf(end.sessionKey)).subagents;
  const text = [`Your task is done.`, `Task:\n${cutText(claim.task, RECALLED_CHARS_MAX)}`, `Result:\n${cutText(claim.resultText ?? '(none)', RECALLED_CHARS_MAX)}`].join('\n\n');
  return toSession(end, end.sessionKey, { tool: 'announce', text, hops: claim.hops, costUsd: costSoFar(end.usage, end.interSession?.costUsd) }, {
    runId: followUpRunId(end.run.runId, 'announce'),
    source: 'announce',
    timeoutMs: announceTimeoutMs,
    deniedTools: [...SESSION_TOOL_NAMES],
    extraSystemPrompt: 'Answer with what the people on the channel of the session that spawned you should hear of the result; notes may follow after a line "Notes:". How the task ended is added by the system. Answer exactly ANNOUNCE_SKIP to post nothing.',
    followUp: FollowUp.create({ kind: { $case: 'spawn', value: { ...claim, step: 'announce' } } }),
  });
}

/** Undefined: the result itself is told; null: nothing is. */
type Announced = string | undefined | null;

function announcedText({ outcome, text = '' }: RunEnd): Announced {
  if (outcome !== 'ok' || text.trim() === '') return undefined;
  return isExactly(text, 'ANNOUNCE_SKIP') || isSilentText(text) ? null : text;
}

function results(end: RunEnd, claim: SpawnClaim, announced: Announced): readonly OutboundMessage[] {
  const isStopped = STATUS[claim.outcome ?? ''] === undefined;
  const isSilent = announced === null || (claim.resultText !== undefined && (isExactly(claim.resultText, 'ANNOUNCE_SKIP') || isSilentText(claim.resultText)));
  const route = channelOf(claim);
  const posted = route === undefined || isSilent || isStopped || !end.sendAllowed ? [] : [OutboundMessage.create({ route, text: announceBlock(end, claim, announced ?? claim.resultText) })];
  return [...posted, toParent(end, claim, posted.length > 0)];
}

/**
 * The parent's copy. It starts a turn there, unless the sub-agent was stopped: whoever stopped it
 * does not want to hear of it now, and the parent may have been stopped with it.
 */
function toParent(end: RunEnd, claim: SpawnClaim, isPosted: boolean): OutboundMessage {
  const isStopped = STATUS[claim.outcome ?? ''] === undefined;
  const name = claim.label === undefined ? '' : ` "${claim.label}"`;
  const text = `Result of the sub-agent${name} that you spawned.\n\n${announceBlock(end, claim, claim.resultText)}`;
  const route = channelOf(claim);
  const said = { tool: 'sessions_spawn', text, hops: claim.hops, costUsd: costSoFar(end.usage, end.interSession?.costUsd) };
  return toSession(end, claim.parentKey, said, isStopped ? undefined : {
    runId: followUpRunId(end.run.runId, 'result'),
    source: 'announce',
    // It was started by a session, not by a person: a channel hears of a result by its announce, and of that once.
    deliver: false,
    // Where a sub-agent that is spawned in this turn announces.
    replyRoute: route,
    extraSystemPrompt: `The result of a sub-agent has arrived; ${isPosted ? 'the people on your channel have been told it already' : 'nobody else has been told'}. Go on with your work. ${STAYS}`,
  });
}

const STAYS = 'What you answer stays in this session.';

/** The same instructions for a session that yielded its turn to wait for the result. */
export function awaitedResultPrompt(prompt: string): string {
  return prompt.replace(STAYS, 'You ended your turn to wait for it: what you answer now is the answer to the message that you were working on. Call sessions_yield where other results are still to come, and answer exactly NO_REPLY where nothing is left to say.');
}

/** `Status`, `Result`, `Notes` and the figures; the same form whatever the model wrote. */
export function announceBlock({ sessionKey, sessionId, transcriptPath }: Pick<RunEnd, 'sessionKey' | 'sessionId' | 'transcriptPath'>, claim: SpawnClaim, text: string | undefined): string {
  const isOk = claim.outcome === 'ok';
  const { result, notes } = sectionsOf(isOk ? (text ?? '') : '');
  // "unknown" alone leaves its reader to guess at a failure.
  const stopped = STATUS[claim.outcome ?? ''] === undefined ? 'the run was stopped before it ended' : undefined;
  const problem = isOk ? undefined : (claim.errorMessage ?? stopped);
  return [
    `Status: ${STATUS[claim.outcome ?? ''] ?? 'unknown'}`,
    `Result: ${result === '' ? '(none)' : cutText(result, INTER_SESSION_CHARS_MAX)}`,
    `Notes: ${[notes, problem].filter((note) => note !== undefined && note !== '').join('; ') || 'none'}`,
    statsLine({ startedAtMs: claim.startedAtMs, endedAtMs: claim.endedAtMs, usage: claim.usage, sessionKey, sessionId, transcriptPath }),
  ].join('\n');
}

/** A model that writes the sections itself gets them in their place; what it says of the status is dropped. */
function sectionsOf(text: string): { readonly result: string; readonly notes: string } {
  const found: Record<string, string[]> = { result: [], notes: [], status: [] };
  let into = 'result';
  for (const line of text.trim().split('\n')) {
    const heading = /^\s{0,3}(?:\*\*)?(status|result|notes)(?:\*\*)?\s{0,3}:(?:\*\*)?[ \t]*(.*)$/i.exec(line);
    if (heading !== null) into = (heading[1] ?? '').toLowerCase();
    found[into]?.push(heading === null ? line : (heading[2] ?? ''));
    // A status has one line.
    if (into === 'status') into = 'result';
  }
  const joined = (name: string): string => (found[name] ?? []).join('\n').trim();
  return { result: joined('result'), notes: joined('notes') };
}

function agentOf(key: string): AgentId {
  return slugAgentId(parseSessionKey(key).agentId ?? '');
}
