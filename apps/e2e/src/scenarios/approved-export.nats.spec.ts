/**
 * `/export-trajectory` on its whole way, on every deployment: asked for in a chat, seen by operators, granted
 * or denied by one who may, carried out by the owner, told to who asked and to nobody else.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../support/command';
import type { GatewaySocket } from '../support/gateway-socket';
import { useScene } from '../support/scene';
import { waitUntil } from '../support/wait-until';
import type { Deployment } from './deployment';
import { followEvents } from './server-events';
import type { EventReader } from './server-events';
import { createSplit } from './split';
import { createStandalone } from './standalone';

const DEPLOYMENTS = [['standalone', createStandalone], ['split', createSplit]] as const;
const KEY = 'agent:main:telegram:direct:123';
const START_MS_MAX = 300_000;
jest.setTimeout(180_000);

interface Waiting {
  readonly id: string;
  readonly request: { readonly command: string; readonly commandArgv: readonly string[]; readonly sessionKey: string };
}

describe.each(DEPLOYMENTS)('an export that is asked for in a chat, %s', (_name, create) => {
  const scene = useScene('all');
  let house: Deployment;
  let approver: GatewaySocket;
  let deliveries: EventReader;
  let workspace = '';
  let sent = 0;

  const door = (at = 0): Deployment['doors'][number] => {
    const found = house.doors[at % house.doors.length];
    if (found === undefined) throw new Error('the deployment has no door');
    return found;
  };
  const say = async (text: string, more: Record<string, unknown> = {}): Promise<Record<string, unknown>> => {
    sent += 1;
    const answer = await door(sent).send({ channel: 'telegram', messageId: `m${String(sent)}`, chatType: 'direct', sender: { id: '123', authority: 'owner' }, text, ...more });
    return (answer?.json ?? {}) as Record<string, unknown>;
  };
  const list = async (): Promise<Waiting[]> => (await approver.call('exec.approval.list', {})) as unknown as Waiting[];
  const exported = (): string[] => {
    const folder = join(workspace, '.openclaw', 'trajectory-exports');
    return existsSync(folder) ? readdirSync(folder) : [];
  };
  /** Texts for one conversation. */
  const toldTo = (to: string): string[] => deliveries.of('delivery').flatMap(({ data }) => ((data['route'] as { readonly to?: string } | undefined)?.to === to ? [String(data['text'])] : []));
  const untilTold = (to: string, words: RegExp): Promise<string> => waitUntil(`${to} is told ${String(words)}`, () => toldTo(to).find((text) => words.test(text)), 60_000);
  const connect = async (): Promise<void> => {
    approver = await scene.socket(door(), { scopes: ['operator.approvals'] });
    deliveries = await followEvents(door(), '/v1/deliveries?channel=telegram');
    scene.onEnd(() => deliveries.leave());
  };

  beforeAll(async () => {
    const stateDir = scene.stateDir();
    workspace = stateDir;
    house = create(stateDir, { session: { dmScope: 'per-channel-peer' }, agents: { defaults: { workspace } } });
    scene.onEnd(() => house.kill());
    await house.start();
    await connect();
  }, START_MS_MAX);

  it('waits for an operator who may approve, and is done once, for this once', async () => {
    await say('remember the blue door');
    expect(await say('/export-trajectory bug-1')).toMatchObject({ status: 'handled', sessionKey: KEY });
    const { payload } = await approver.next(({ event }) => event === 'exec.approval.requested');
    const [waiting] = await list();
    expect(waiting).toMatchObject({ id: payload?.['id'], request: { sessionKey: KEY } });
    expect(exported()).toEqual([]);
    const id = waiting?.id ?? '';
    // Whoever may write may not approve.
    const writer = await scene.socket(door(), { scopes: ['operator.write'] });
    expect(await writer.request('exec.approval.resolve', { id, decision: 'allow-once' })).toMatchObject({ ok: false, error: { message: 'missing scope: operator.approvals' } });
    expect(await approver.request('exec.approval.resolve', { id, decision: 'allow-always' })).toMatchObject({ ok: false, error: { code: 'INVALID_REQUEST', details: { reason: 'APPROVAL_ALLOW_ALWAYS_UNAVAILABLE' } } });
    expect(await approver.call('exec.approval.get', { id })).toMatchObject({ id, commandText: waiting?.request.command, allowedDecisions: ['allow-once', 'deny'] });
    expect(exported()).toEqual([]);
    expect(await runCommand(house.stateDir, ['gateway', 'call', 'exec.approval.resolve', '--params', JSON.stringify({ id, decision: 'allow-once' }), '--json'])).toMatchObject({ exitCode: 0 });
    expect((await approver.next(({ event }) => event === 'exec.approval.resolved')).payload).toMatchObject({ id, decision: 'allow-once' });
    await untilTold('123', /was exported: \.openclaw\/trajectory-exports\/bug-1/u);
    expect(exported()).toEqual(['bug-1']);
    expect(readFileSync(join(workspace, '.openclaw', 'trajectory-exports', 'bug-1', 'events.jsonl'), 'utf8')).toContain('remember the blue door');
    expect(await list()).toEqual([]);
    expect(await approver.request('exec.approval.resolve', { id, decision: 'allow-once' })).toMatchObject({ ok: false, error: { details: { reason: 'APPROVAL_NOT_FOUND' } } });
  });

  it('is what the command line does with the same request', async () => {
    await say('/export-trajectory bug-2');
    const [waiting] = await list();
    const [, ...args] = waiting?.request.commandArgv ?? [];
    const { exitCode, stdout } = await runCommand(house.stateDir, args);
    expect([exitCode, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ ok: true, sessionKey: KEY, displayPath: '.openclaw/trajectory-exports/bug-2' })]);
    expect(await approver.call('exec.approval.resolve', { id: waiting?.id, decision: 'allow-once' })).toEqual({ ok: true });
    await untilTold('123', /was not exported: .*bug-2 exists already/u);
    expect(exported().sort()).toEqual(['bug-1', 'bug-2']);
  });

  it('writes nothing when it is denied, and waits over a restart of everything', async () => {
    await say('/export-trajectory denied');
    await say('/export-trajectory later');
    const before = await list();
    expect(before).toHaveLength(2);
    expect(await approver.call('exec.approval.resolve', { id: before[0]?.id, decision: 'deny' })).toEqual({ ok: true });
    await untilTold('123', /denied; nothing was written/u);
    deliveries.leave();
    await house.stop();
    await house.start();
    await connect();
    expect((await list()).map(({ id }) => id)).toEqual([before[1]?.id]);
    expect(await approver.call('exec.approval.resolve', { id: before[1]?.id, decision: 'allow-once' })).toEqual({ ok: true });
    await untilTold('123', /was exported: \.openclaw\/trajectory-exports\/later/u);
    expect(exported().sort()).toEqual(['bug-1', 'bug-2', 'later']);
  }, START_MS_MAX);

  it('is spoken of with its owner alone when a group reads along', async () => {
    const inGroup = { chatType: 'group', conversation: { id: 'g1' }, mentioned: true };
    await say('hello all', inGroup);
    await say('/export-trajectory of-the-group', inGroup);
    await untilTold('123', /of-the-group[\s\S]*exec\.approval\.resolve/u);
    const [waiting] = await list();
    expect(await approver.call('exec.approval.resolve', { id: waiting?.id, decision: 'allow-once' })).toEqual({ ok: true });
    await untilTold('123', /was exported: \S*of-the-group/u);
    expect(toldTo('g1').join('\n')).toMatch(/sent to you privately/u);
    expect(toldTo('g1').join('\n')).not.toMatch(/of-the-group|exported/u);
  });
});
