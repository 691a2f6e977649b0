/** A deployment whose agents do what messages tell them, and what a channel and a reader see of it. */
import { startModelServer } from '@sessions/llm/testing';
import type { ModelServer } from '@sessions/llm/testing';
import type { CreateDeployment, Deployment, Settings } from '../scenarios/deployment';
import { connectSocket } from '../support/gateway-socket';
import type { Door } from '../support/door';
import type { Scene } from '../support/scene';
import { waitUntil } from '../support/wait-until';
import { obedientModel } from './obedient-model';
import type { Otherwise } from './obedient-model';

/** More than a loaded machine needs for a start of every process. */
export const LONG_MS = 240_000;

export interface Message {
  readonly role: string;
  readonly text: string;
  readonly provenance?: Readonly<Record<string, unknown>>;
}

export interface HouseOfAgents {
  readonly deployment: Deployment;
  readonly model: ModelServer;
  door(at?: number): Door;
  /** From a person on a channel. @returns the run's id */
  say(messageId: string, text: string, sender?: string): Promise<string>;
  /** One answer of the gateway at a new connection. */
  call(method: string, params: unknown, at?: number): Promise<Record<string, unknown>>;
  /** The outcome of a run, however long it takes. */
  end(runId: string, at?: number): Promise<Record<string, unknown>>;
  messages(key: string, at?: number): Promise<readonly Message[]>;
  /** The results of tools in a session, as the model was given them. */
  results(key: string): Promise<readonly Record<string, unknown>[]>;
  /** Everything that an adapter has been given so far, in order; it acknowledges each at once. */
  readonly delivered: readonly Readonly<Record<string, unknown>>[];
  /** After a start: the adapter connects. */
  listen(): void;
}

export interface HouseOptions {
  readonly otherwise?: Otherwise;
  readonly settings?: Settings;
}

export async function openHouse(scene: Scene, create: CreateDeployment, { otherwise, settings = {} }: HouseOptions = {}): Promise<HouseOfAgents> {
  const model = await startModelServer(obedientModel(otherwise));
  scene.onEnd(() => model.close());
  const provider = { baseUrl: model.baseUrl, api: 'openai-completions', apiKey: 'k', models: [{ id: 'small' }] };
  const deployment = create(scene.stateDir(), {
    session: { dmScope: 'per-channel-peer' },
    models: { providers: { local: provider } },
    agents: { defaults: { model: { primary: 'local/small' } } },
    tools: { sessions: { visibility: 'agent' } },
    ...settings,
  });
  scene.onEnd(() => deployment.kill());
  await deployment.start();
  const delivered: Record<string, unknown>[] = [];
  const seen = new Set<string>();
  let leave = new AbortController();
  scene.onEnd(() => leave.abort());

  const door = (at = 0): Door => {
    const found = deployment.doors[at % deployment.doors.length];
    if (found === undefined) throw new Error('the deployment has no door');
    return found;
  };
  const acknowledge = (deliveryId: string): Promise<unknown> =>
    door().http(`/v1/deliveries/${deliveryId}/ack`, { method: 'POST', body: JSON.stringify({ ok: true }) }).catch(() => undefined);
  const house: HouseOfAgents = {
    deployment,
    model,
    door,
    delivered,
    async say(messageId, text, sender = '123') {
      const answer = await door().send({ channel: 'telegram', messageId, chatType: 'direct', sender: { id: sender }, text });
      if (answer?.status !== 202) throw new Error(`the message was not accepted: ${answer?.text ?? 'no answer'}`);
      return String(answer.json?.['runId']);
    },
    async call(method, params, at) {
      const socket = await connectSocket(door(at));
      try {
        return await socket.call(method, params);
      } finally {
        socket.close();
      }
    },
    end: (runId, at) =>
      waitUntil(`run ${runId} ends`, async () => {
        const end = await house.call('agent.wait', { runId, timeoutMs: 5_000 }, at).catch(() => undefined);
        return end?.['endedAt'] === undefined ? undefined : end;
      }, LONG_MS),
    async messages(key, at) {
      const answer = await waitUntil(`the history of ${key} is read`, async () => {
        const read = await door(at).http(`/sessions/${encodeURIComponent(key)}/history?includeTools=1`);
        return read.status === 503 ? undefined : read;
      });
      // A session that is not there has no messages; a door that cannot say is no such answer.
      if (answer.status !== 200 && answer.status !== 404) throw new Error(`the history of ${key} was not read: ${String(answer.status)} ${answer.text}`);
      const { json } = answer;
      return ((json?.['messages'] as Record<string, unknown>[] | undefined) ?? []).map((line) => ({ role: String(line['role']), text: textOf(line['content']), ...(line['provenance'] !== undefined && { provenance: line['provenance'] as Record<string, unknown> }) }));
    },
    results: async (key) => (await house.messages(key)).filter(({ role }) => role === 'toolResult').map(({ text }) => JSON.parse(text) as Record<string, unknown>),
    listen() {
      leave.abort();
      const leaving = (leave = new AbortController());
      void (async () => {
        const { url, token } = door();
        const response = await fetch(`${url}/v1/deliveries?channel=telegram`, { headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' }, signal: leaving.signal });
        const decoder = new TextDecoder();
        let text = '';
        for await (const chunk of response.body ?? []) {
          text += decoder.decode(chunk as Uint8Array, { stream: true });
          for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
            const event = text.slice(0, end);
            text = text.slice(end + 2);
            const data = /^event: delivery\n(?:.*\n)*?data: (.*)$/mu.exec(event)?.[1];
            if (data === undefined) continue;
            const delivery = JSON.parse(data) as Record<string, unknown>;
            const deliveryId = String(delivery['deliveryId']);
            if (!seen.has(deliveryId)) delivered.push(delivery);
            seen.add(deliveryId);
            void acknowledge(deliveryId);
          }
        }
      })().catch(() => undefined);
    },
  };
  house.listen();
  return house;
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  return Array.isArray(content) ? (content as { text?: unknown }[]).map(({ text }) => (typeof text === 'string' ? text : '')).join('') : '';
}
