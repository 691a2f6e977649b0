/**
 * What the end of a run sets in motion: answers on their way to a channel, messages for other
 * sessions. Pure. Whoever ends a run (its runner, a cancellation, the loss of its last attempt) opens
 * what this returns in the same mutation, so that the same follows after whatever restart.
 */
import type { InterSession, OutboundMessage, RunRequest, TokenUsage } from '@sessions/contracts';
import type { SessionConfig } from '../config/parse-config';
import { spawnFollowUps } from './announce';
import { exchangeFollowUps } from './exchange';
import { isExactly, isSilentText } from './silent-words';

/** `ok`: it answered. `aborted`: it was stopped while it ran, `cancelled`: before it began. */
export const RUN_OUTCOMES = ['ok', 'error', 'timeout', 'aborted', 'cancelled'] as const;
export type RunOutcome = (typeof RUN_OUTCOMES)[number];

export interface RunEnd {
  readonly run: RunRequest;
  /** Of the session that it ran in. */
  readonly sessionKey: string;
  readonly sessionId: string;
  readonly outcome: RunOutcome;
  /** Of the answer; undefined: there is none. */
  readonly text?: string;
  readonly errorMessage?: string;
  /** Undefined: it never began. */
  readonly startedAtMs?: number;
  readonly endedAtMs: number;
  /** One a model. */
  readonly usage: readonly TokenUsage[];
  /** False: the send policy lets no answer out of the session. */
  readonly sendAllowed: boolean;
  /** Result of the last tool that ran; stands for an answer without text. */
  readonly lastToolResultText?: string;
  /** Mark of the message that started it, when another session sent it. */
  readonly interSession?: InterSession;
  /** Absolute; undefined: not known to the one who ends it. */
  readonly transcriptPath?: string;
}

/** @param settings of the whole system: turns that follow a message between sessions, times of announces, bounds of chains. */
export function followUpsOf(end: RunEnd, settings: SessionConfig): readonly OutboundMessage[] {
  const follow = end.run.followUp?.kind;
  switch (follow?.$case) {
    case 'exchange':
      return [...answerOf(end), ...exchangeFollowUps(end, follow.value, settings)];
    case 'spawn':
      // Of a sub-agent only the announce goes to a channel.
      return spawnFollowUps(end, follow.value, settings);
    case undefined:
      return answerOf(end);
  }
}

/** The answer goes where the message that started the run came from, never anywhere else (decision 20). */
function answerOf({ run, outcome, text = '', sendAllowed }: RunEnd): OutboundMessage[] {
  const { deliver, replyRoute } = run;
  if (!deliver || replyRoute === undefined || !sendAllowed || outcome !== 'ok') return [];
  if (text.trim() === '' || isSilentText(text) || (run.source === 'announce' && isExactly(text, 'ANNOUNCE_SKIP'))) return [];
  return [{ route: replyRoute, text, attachments: [], toSession: undefined }];
}
