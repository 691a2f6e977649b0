/** The doors through which a session's tools are called, each as one function; for tests that go through all. */
import path from 'node:path';
import { Metadata, credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import type { Client, ServiceError } from '@grpc/grpc-js';
import { Client as McpClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { InvokeToolRequest, InvokeToolResponse, RouterServiceService } from '@sessions/contracts';
import { createClient, createSubjects } from '@sessions/bus';
import type { CallMeta } from '@sessions/bus';
import { systemClock } from '@sessions/host';
import { STORES_NOW_MS } from './memory-store';
import { TOKEN, startRouter } from './router-harness';
import type { RunningRouter } from './router-harness';

export type Details = Record<string, unknown>;
/** Calls a tool for a session; refusals of the door itself are thrown. */
export type ToolDoor = (name: string, args: object, sessionKey: string, more?: Partial<InvokeToolRequest>) => Promise<Details>;

export const DOORS = ['bus', 'websocket', 'http', 'grpc', 'mcp'] as const;
export type DoorName = (typeof DOORS)[number];

const PROTO_DIR = path.resolve(__dirname, '../../../../../proto');
const RouterClient = makeGenericClientConstructor(RouterServiceService, 'RouterService');
/** What clients need to call the tools by which they speak as an agent. */
const ALL_TOOLS = { tools: { allow: ['sessions_send', 'sessions_spawn'] } };

export interface ToolDoors {
  readonly running: RunningRouter;
  readonly doors: Readonly<Record<DoorName, ToolDoor>>;
  stop(): Promise<void>;
}

export async function openToolDoors(raw: Record<string, unknown>, gateway: object = ALL_TOOLS): Promise<ToolDoors> {
  // The stores in memory stand still at one moment; a router of today would take all their runs for stale.
  const clock = { ...systemClock, nowMs: () => STORES_NOW_MS + 1_000 };
  const running = await startRouter({ ...raw, gateway }, { clock, grpcListen: { host: '127.0.0.1', port: 0 }, protoDir: PROTO_DIR });
  const client = await running.client();
  const mcpClients = new Map<string, McpClient>();
  const grpc = new RouterClient(`127.0.0.1:${String(running.router.grpcAddress()?.port)}`, credentials.createInsecure()) as unknown as Client & Record<string, (...args: unknown[]) => unknown>;
  return {
    running,
    doors: {
      bus: (name, args, sessionKey, more) => callAsAgent(running, name, args, sessionKey, more),
      async websocket(tool, args, sessionKey) {
        const answer = await client.request('tools.invoke', { tool, args, sessionKey });
        if (!answer.ok) throw new Error(answer.error.message);
        return (answer.payload.result as unknown as { details: Details }).details;
      },
      async http(tool, args, sessionKey) {
        const answer = await fetch(`${running.url}/tools/invoke`, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` }, body: JSON.stringify({ tool, args, sessionKey }) });
        const json = (await answer.json()) as { ok: boolean; result: { details: Details }; error: { message: string } };
        if (!json.ok) throw new Error(`${String(answer.status)} ${json.error.message}`);
        return json.result.details;
      },
      async grpc(name, args, sessionKey) {
        const meta = new Metadata();
        meta.set('authorization', `Bearer ${TOKEN}`);
        const answer = await new Promise<InvokeToolResponse>((resolve, reject) => {
          grpc.invokeTool?.(requestOf(name, args, { sessionKey }), meta, (error: ServiceError | null, response: InvokeToolResponse) => (error === null ? resolve(response) : reject(error)));
        });
        return detailsOf(answer);
      },
      async mcp(name, args, sessionKey) {
        const mcp = mcpClients.get(sessionKey) ?? (await openMcp(running, sessionKey));
        mcpClients.set(sessionKey, mcp);
        const answer = await mcp.callTool({ name, arguments: args as Record<string, unknown> });
        // Arguments that a tool does not take are told in words alone.
        if (answer.structuredContent === undefined) throw new Error(JSON.stringify(answer.content));
        return answer.structuredContent as Details;
      },
    },
    async stop() {
      for (const mcp of mcpClients.values()) await mcp.close();
      grpc.close();
      await running.stop();
    },
  };
}

/** An MCP client acts for the session that its address names. */
async function openMcp(running: RunningRouter, sessionKey: string): Promise<McpClient> {
  const client = new McpClient({ name: 'tool-doors', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${running.url}/mcp?sessionKey=${encodeURIComponent(sessionKey)}`), { requestInit: { headers: { authorization: `Bearer ${TOKEN}` } } }));
  return client;
}

/** As an agent runner does it: the session is in the header. */
export async function callAsAgent(running: Pick<RunningRouter, 'bus'>, name: string, args: object, sessionKey: string, more: Partial<InvokeToolRequest> = {}, meta: Partial<CallMeta> = {}): Promise<Details> {
  const subjects = createSubjects();
  const client = createClient(running.bus, RouterServiceService, { caller: `agent:${sessionKey}`, subject: (method) => subjects.router(method), deadlineMs: 60_000 });
  const context = { caller: `agent:${sessionKey}`, scopes: ['operator.admin'], requestId: crypto.randomUUID(), idempotencyKey: undefined, traceparent: undefined, tracestate: undefined, hops: 0, ...meta };
  return detailsOf(await client.invokeTool(requestOf(name, args, more), { context, ...(meta.idempotencyKey !== undefined && { idempotencyKey: meta.idempotencyKey }) }));
}

function requestOf(name: string, args: object, more: Partial<InvokeToolRequest>): InvokeToolRequest {
  return InvokeToolRequest.create({ name, argumentsJson: Buffer.from(JSON.stringify(args)), ...more });
}

function detailsOf({ resultJson }: InvokeToolResponse): Details {
  return JSON.parse(resultJson.toString('utf8')) as Details;
}
