/**
 * What an agent waits for a ticket: `sessions_send` that waits for no answer, to a session that answers
 * in half an hour, against a message that is only written. Both through the router on the bus of the
 * same process, and both acknowledged when the message and its run are durable.
 */
import { Envelope, InvokeToolRequest, Sender, SubmitMessageRequest } from '@sessions/contracts';
import { ratioTo } from '../results.mjs';
import { inTurn, medianOf } from '../sampling.mjs';
import { startServices } from '../standalone.mjs';

export const name = 'send-ticket';
export const rows = [{ what: 'ticket of `sessions_send` with `timeoutSeconds` 0, the target answers in half an hour (at most 100 ms)', against: 'a message that is written at the same door', floor: 3, goal: 2 }];

const ROUNDS = 15;
const CALLS = 20;
/** The promise to the sender, milliseconds; no ratio. */
const TICKET_MS_MAX = 100;
const SENDER = 'agent:main:main';

export async function run({ sizes, served, notice }) {
  const { stateDir } = await served(sizes.smallEntries);
  // No runner is there: every target thinks for longer than the measurement lasts.
  const services = await startServices(stateDir, { agents: { defaults: { model: { primary: 'demo/echo' } } }, tools: { sessions: { visibility: 'agent' } } });
  let number = 0;
  const written = async () => {
    const messageId = `written-${process.pid}-${(number += 1)}`;
    const envelope = Envelope.create({ channel: 'telegram', messageId, chatType: 'direct', sender: Sender.create({ id: `w${number}` }), text: 'to be written' });
    const { status } = await services.client.submitMessage(SubmitMessageRequest.create({ envelope }));
    if (status !== 'accepted') throw new Error(`the message was ${status}`);
  };
  const ticketMs = [];
  const ticket = async () => {
    const target = `agent:main:thinker-${process.pid}-${(number += 1)}`;
    const args = { sessionKey: target, message: 'think long', timeoutSeconds: 0 };
    const startedAt = performance.now();
    const { resultJson } = await services.agent(SENDER).invokeTool(InvokeToolRequest.create({ name: 'sessions_send', argumentsJson: Buffer.from(JSON.stringify(args)), sessionKey: SENDER }));
    ticketMs.push(performance.now() - startedAt);
    const { status, runId } = JSON.parse(Buffer.from(resultJson).toString('utf8'));
    if (status !== 'accepted' || typeof runId !== 'string') throw new Error(`the send was ${status}`);
  };
  try {
    const [sent, plain] = await inTurn(ROUNDS, [() => medianOf(CALLS, ticket), () => medianOf(CALLS, written)]);
    ticketMs.sort((a, b) => a - b);
    const at = (share) => ticketMs[Math.floor((ticketMs.length - 1) * share)];
    const late = ticketMs.filter((ms) => ms > TICKET_MS_MAX).length;
    notice(`a ticket of sessions_send: median ${at(0.5).toFixed(1)} ms, 99 of 100 within ${at(0.99).toFixed(1)} ms, the longest ${at(1).toFixed(1)} ms; ${late} of ${ticketMs.length} later than ${TICKET_MS_MAX} ms`);
    return [ratioTo(sent, plain, 'ms')];
  } finally {
    await services.stop();
  }
}
