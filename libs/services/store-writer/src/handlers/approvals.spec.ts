/** `/export-trajectory` at the owner: nothing is written without an operator's word, each time anew; who asked is told, alone. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import * as path from 'node:path';
import { ListPendingRequest, ResolveApprovalRequest, StoreServiceResetSessionRequest, type DeliverRequest, type PendingApproval } from '@sessions/contracts';
import { systemClock } from '@sessions/host';
import { APPROVAL_MS } from '../decisions/open-approval';
import { KEY, bench, cleanUpBenches, history, restart, telegram, type Bench } from '../testing/writer-bench';

cleanUpBenches();

const FOLDER = path.join('workspace', '.openclaw', 'trajectory-exports');
const owner = (text: string, more: Parameters<typeof telegram>[1] = {}): DeliverRequest => telegram(text, { authority: 'owner', ...more });
const exportsOf = ({ stateDir }: Bench): string[] => (existsSync(path.join(stateDir, FOLDER)) ? readdirSync(path.join(stateDir, FOLDER)) : []);
const waiting = async (made: Bench): Promise<PendingApproval[]> => (await made.client.listPending(ListPendingRequest.create({ agentId: 'main', kinds: ['approval'] }))).approvals;
const resolve = (made: Bench, approvalId: string, decision: string) => made.client.resolveApproval(ResolveApprovalRequest.create({ agentId: 'main', approvalId, decision, resolvedBy: 'ann' }));
/** Texts on their way, with whom they are for. */
const told = async (made: Bench): Promise<string[]> => (await made.client.listPending(ListPendingRequest.create({ agentId: 'main', kinds: ['delivery'] }))).deliveries.map(({ route, text }) => `${route?.to ?? ''}: ${text}`);
async function untilTold(made: Bench, words: RegExp): Promise<string> {
  for (let tries = 0; tries < 5_000; tries += 1) {
    const found = (await told(made)).find((text) => words.test(text));
    if (found !== undefined) return found;
    await new Promise((done) => setTimeout(done, 5));
  }
  throw new Error(`nobody is told ${String(words)}: ${JSON.stringify(await told(made))}`);
}
async function asked(made: Bench, text = '/export-trajectory bug-1'): Promise<PendingApproval> {
  await made.client.deliver(telegram('hello'));
  expect(await made.client.deliver(owner(text))).toMatchObject({ status: 'handled', reply: expect.stringContaining('waits for approval') as string });
  const [approval] = await waiting(made);
  if (approval === undefined) throw new Error('nothing waits');
  return approval;
}

it('waits for an operator, writes nothing until then, and exports once', async () => {
  const made = await bench();
  const approval = await asked(made);
  expect(exportsOf(made)).toEqual([]);
  const request = JSON.parse(Buffer.from(approval.requestJson).toString('utf8')) as { command: string; commandArgv: string[] };
  expect(request).toMatchObject({ ask: 'always', allowedDecisions: ['allow-once', 'deny'], sessionKey: KEY, agentId: 'main', turnSourceChannel: 'telegram', turnSourceTo: '123' });
  expect(request.command).toMatch(/^openclaw sessions export-trajectory --request-json-base64 \S+ --json$/u);
  expect(JSON.parse(Buffer.from(request.commandArgv[4] ?? '', 'base64url').toString('utf8'))).toEqual({ sessionKey: KEY, workspace: path.join(made.stateDir, 'workspace'), output: 'bug-1', agent: 'main' });
  await resolve(made, approval.approvalId, 'allow-once');
  expect(await untilTold(made, /was exported/u)).toMatch(/^123: The trajectory was exported: \.openclaw\/trajectory-exports\/bug-1 /u);
  expect(exportsOf(made)).toEqual(['bug-1']);
  const manifest = JSON.parse(readFileSync(path.join(made.stateDir, FOLDER, 'bug-1', 'manifest.json'), 'utf8')) as Record<string, unknown>;
  expect(manifest).toMatchObject({ sessionKey: KEY, transcriptEventCount: 1 });
  expect(await waiting(made)).toEqual([]);
  // The word held for that once.
  await expect(resolve(made, approval.approvalId, 'allow-once')).rejects.toMatchObject({ reason: 'VALIDATION', facts: { reason: 'APPROVAL_NOT_FOUND' } });
  await made.client.deliver(owner('/export-trajectory bug-2'));
  expect(await waiting(made)).toHaveLength(1);
  expect(exportsOf(made)).toEqual(['bug-1']);
  const phases = made.events.flatMap(({ body }) => (body?.$case === 'approval' ? [[body.value.phase, body.value.decision, body.value.resolvedBy]] : []));
  expect(phases).toEqual([['requested', undefined, undefined], ['resolved', 'allow-once', 'ann'], ['requested', undefined, undefined]]);
});

it('is denied, and nothing is written', async () => {
  const made = await bench();
  const { approvalId } = await asked(made);
  await expect(resolve(made, approvalId, 'allow-always')).rejects.toMatchObject({ reason: 'VALIDATION' });
  await resolve(made, approvalId, 'deny');
  expect(await untilTold(made, /denied/u)).toMatch(/^123: /u);
  await expect(resolve(made, approvalId, 'allow-once')).rejects.toMatchObject({ facts: { reason: 'APPROVAL_NOT_FOUND' } });
  expect([exportsOf(made), await waiting(made)]).toEqual([[], []]);
});

it('is over after half an hour', async () => {
  const before = await bench();
  const { approvalId } = await asked(before);
  const made = await restart(before, { clock: { ...systemClock, nowMs: () => systemClock.nowMs() + APPROVAL_MS } });
  await untilTold(made, /not approved in time/u);
  await expect(resolve(made, approvalId, 'allow-once')).rejects.toMatchObject({ facts: { reason: 'APPROVAL_NOT_FOUND' } });
  expect([exportsOf(made), await waiting(made)]).toEqual([[], []]);
});

it('is asked for by owners alone', async () => {
  const made = await bench();
  await made.client.deliver(telegram('hello'));
  expect(await made.client.deliver(telegram('/export-trajectory'))).toMatchObject({ status: 'ignored', ignoredReason: 'unauthorised_command' });
  expect([exportsOf(made), await waiting(made)]).toEqual([[], []]);
});

it('is told to the owner alone where others read along', async () => {
  const made = await bench();
  const key = 'agent:main:telegram:group:g1';
  const inGroup = (text: string, sender = true): DeliverRequest => {
    const request = owner(text, { key });
    const { route, message } = request;
    if (route === undefined || message === undefined) throw new Error('a request has both');
    return { ...request, route: { ...route, chatType: 'group', replyRoute: { channel: 'telegram', to: 'g1', accountId: undefined, threadId: undefined } as never }, message: { ...message, sender: sender ? message.sender : { authority: 'owner' } as never } };
  };
  await made.client.deliver(inGroup('hello'));
  expect(await made.client.deliver(inGroup('/export-trajectory', false))).toMatchObject({ reply: expect.stringContaining('ask for it in a direct chat') as string });
  expect(await waiting(made)).toEqual([]);
  expect(await made.client.deliver(inGroup('/export-trajectory secret-name'))).toMatchObject({ reply: expect.stringContaining('sent to you privately') as string });
  const [approval] = await waiting(made);
  await resolve(made, approval?.approvalId ?? '', 'allow-once');
  await untilTold(made, /was exported/u);
  const all = await told(made);
  expect(all.filter((text) => text.startsWith('123: '))).toHaveLength(2);
  expect(all.filter((text) => text.startsWith('g1: ')).join('\n')).not.toMatch(/secret-name|was exported|approval\.resolve/u);
  expect(exportsOf(made)).toEqual(['secret-name']);
});

it('survives its owner: what waits still waits, what was granted is done', async () => {
  const made = await bench();
  const { approvalId } = await asked(made);
  const next = await restart(made);
  expect(await waiting(next)).toMatchObject([{ approvalId, sessionKey: KEY }]);
  // The owner leaves in the same moment.
  await resolve(next, approvalId, 'allow-once');
  const last = await restart(next);
  await untilTold(last, /was exported/u);
  expect(exportsOf(last)).toEqual(['bug-1']);
  expect((await told(last)).filter((text) => /was exported/u.test(text))).toHaveLength(1);
});

it('ends with its session, and says what a name is', async () => {
  const made = await bench();
  const { approvalId } = await asked(made);
  expect(await made.client.deliver(owner('/export-trajectory ../outside'))).toMatchObject({ reply: expect.stringContaining('relative') as string });
  await made.client.resetSession(StoreServiceResetSessionRequest.create({ agentId: 'main', key: KEY, reason: 'reset' }));
  expect(await waiting(made)).toEqual([]);
  await expect(resolve(made, approvalId, 'allow-once')).rejects.toMatchObject({ facts: { reason: 'APPROVAL_NOT_FOUND' } });
  expect(exportsOf(made)).toEqual([]);
});

it('is told in the session where there is no channel, and once when its target exists already', async () => {
  const made = await bench();
  await made.client.deliver(telegram('hello'));
  for (const wanted of [/was exported/u, /was not exported: .*exists already/u]) {
    const request = owner('/export-trajectory twice');
    await made.client.deliver({ ...request, route: { ...request.route, originKind: 'webchat', matchedBy: 'explicit', replyRoute: undefined } as never });
    const [approval] = await waiting(made);
    await resolve(made, approval?.approvalId ?? '', 'allow-once');
    for (let texts: string[] = []; !texts.some((text) => wanted.test(text)); ) ({ texts } = await history(made));
  }
  expect(exportsOf(made)).toEqual(['twice']);
});
