/**
 * A runtime of one's own, as a process of its own: takes the built-in runtime's place over NATS, as
 * docs/protocols/runtime.md says, and does what the newest message tells it:
 *
 *     say <text>     two deltas, a record, the end
 *     list           calls sessions_list when the call is durable, and says how many sessions there are
 *     wait           one delta, then nothing until it is told to stop; then its last words
 *     die            one delta, then the process is gone
 *
 * Environment: NATS_URL, and OWN_NAME, which its answers carry. Prints a line when it serves.
 */
import { randomBytes } from 'node:crypto';
import { connectNatsBus, createClient, createSubjects, serveService } from '@sessions/bus';
import { AgentRuntimeService, CancelTurnResponse, ConfirmRecordsResponse, DescribeResponse, ExecuteTurnResponse, InvokeToolRequest, RouterServiceService } from '@sessions/contracts';

const { NATS_URL: url, OWN_NAME: name } = process.env;
const subjects = createSubjects();
const bus = await connectNatsBus({ servers: [url], service: 'agent-runner', instance: `own-runtime-${name}`, subjectPrefix: subjects.prefix, onReport: () => undefined });

const item = ($case, value) => ExecuteTurnResponse.create({ item: { $case, value } });
const delta = (text) => item('assistantDelta', { kind: 'text', delta: text });
const line = (message) => item('record', Buffer.from(JSON.stringify({ type: 'message', id: randomBytes(4).toString('hex'), message: { timestamp: Date.now(), ...message } })));
const answer = (text, more = {}) => line({ role: 'assistant', content: [{ type: 'text', text }], api: 'own', provider: 'own', model: name, stopReason: 'stop', ...more });

/** A promise that others resolve. */
function gate() {
  let open;
  const opened = new Promise((resolve) => (open = resolve));
  return { opened, open };
}

function newestMessage({ branch }) {
  const messages = branch.map(({ lineJson }) => JSON.parse(Buffer.from(lineJson).toString('utf8')).message);
  const content = messages.findLast((message) => message?.role === 'user')?.content;
  return typeof content === 'string' ? content : (content ?? []).map(({ text = '' }) => text).join('');
}

async function* executeTurn(request) {
  const { executionId, sessionKey, runId, hops, traceId, costUsd, replyRoute } = request;
  const stopped = gate();
  const recorded = gate();
  const door = await serveService(
    bus,
    AgentRuntimeService,
    {
      cancelTurn: async ({ reason }) => (stopped.open(reason), CancelTurnResponse.create({ state: 'stopping' })),
      confirmRecords: async () => (recorded.open(), ConfirmRecordsResponse.create({})),
    },
    { subjectFor: (method) => (method === 'CancelTurn' || method === 'ConfirmRecords' ? subjects.run(executionId, method) : undefined) },
  );
  try {
    const [, word, text] = /(say|list|wait|die)(?: (.*))?$/mu.exec(newestMessage(request)) ?? [];
    yield delta(`${name} `);
    if (word === 'die' && text !== `not ${name}`) process.kill(process.pid, 'SIGKILL');
    if (word === 'wait') {
      const reason = await stopped.opened;
      yield answer(`${name} stopped`, { stopReason: 'aborted', idempotencyKey: `${runId}:assistant`, openclawAbort: { aborted: true, origin: reason, runId } });
      yield item('done', { outcome: 'aborted', stopReason: 'aborted', text: `${name} stopped` });
      return;
    }
    let said = text === undefined || text === '' ? 'nothing' : text;
    if (word === 'list') {
      yield line({ role: 'assistant', content: [{ type: 'toolCall', id: 'call-1', name: 'sessions_list', arguments: {} }], api: 'own', provider: 'own', model: name, stopReason: 'toolUse' });
      // Never acts on a call that could get lost.
      await recorded.opened;
      yield item('toolStart', { toolCallId: 'call-1', name: 'sessions_list', argumentsJson: Buffer.from('{}') });
      const router = createClient(bus, RouterServiceService, { caller: `agent:${sessionKey}`, subject: (method) => subjects.router(method) });
      const { resultJson } = await router.invokeTool(InvokeToolRequest.create({ name: 'sessions_list', argumentsJson: Buffer.from('{}'), sessionKey, runId, hops, traceId, costUsd, replyRoute }), { idempotencyKey: `${runId}:call-1` });
      yield item('toolResult', { toolCallId: 'call-1', ok: true, resultJson });
      yield line({ role: 'toolResult', toolCallId: 'call-1', toolName: 'sessions_list', content: [{ type: 'text', text: Buffer.from(resultJson).toString('utf8') }], isError: false });
      said = `sees ${String(JSON.parse(Buffer.from(resultJson).toString('utf8')).sessions.length)} session`;
    }
    yield delta(said);
    yield answer(`${name} ${said}`);
    yield item('usage', { inputTokens: 7, outputTokens: 3, totalTokens: 10, modelProvider: 'own', model: name });
    yield item('done', { outcome: 'ok', text: `${name} ${said}`, stopReason: 'stop' });
  } finally {
    await door.stop();
  }
}

await serveService(
  bus,
  AgentRuntimeService,
  { describe: async () => DescribeResponse.create({ runtimeId: `own-${name}`, models: ['own/*'] }), executeTurn: (request) => executeTurn(request) },
  { subjectFor: (method) => (method === 'Describe' || method === 'ExecuteTurn' ? subjects.runtime(method) : undefined), queueGroup: 'agent-runtime' },
);
process.stdout.write('serving\n');
