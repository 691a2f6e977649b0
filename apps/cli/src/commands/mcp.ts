/**
 * `openclaw mcp`: the session tools of a running gateway for an MCP client that starts its servers as
 * programs. The protocol is on stdin and stdout, so nothing else is written there.
 */
import { loadCliContext } from '../cli-context';
import { EXIT } from '../cli-io';
import type { CliIo, ExitCode } from '../cli-io';
import { resolveGatewayTarget } from '../gateway/gateway-target';
import type { GatewayFlags } from '../gateway/gateway-target';
import { createUpstream } from '../mcp/upstream';
import { VERSION } from '../version';
import { gatewaySettings } from './gateway-call';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { CallToolRequestSchema, ListToolsRequestSchema, McpError } from '@modelcontextprotocol/sdk/types.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { SessionError } from '@sessions/domain';
import type { Readable, Writable } from 'node:stream';

export interface McpFlags extends GatewayFlags {
  readonly sessionKey?: string | undefined;
}

export interface McpStreams {
  readonly stdin: Readable;
  readonly stdout: Writable;
}

/** Serves until the client leaves. @throws NO_OWNER, UNAUTHENTICATED, SCOPE_MISSING when the gateway cannot be used */
export async function runMcp(io: CliIo, flags: McpFlags, streams: McpStreams = process): Promise<ExitCode> {
  const target = resolveGatewayTarget(flags, gatewaySettings(loadCliContext(io)));
  const upstream = createUpstream({ target, sessionKey: flags.sessionKey, version: VERSION });
  try {
    // Said now, where a person reads it, and not by a client without tools.
    await upstream.listTools();
    const server = new Server({ name: 'openclaw-sessions', title: 'OpenClaw sessions', version: VERSION }, { capabilities: { tools: {} } });
    server.setRequestHandler(ListToolsRequestSchema, () => upstream.listTools());
    server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal }): Promise<CallToolResult> => {
      try {
        return (await upstream.callTool({ name: params.name, arguments: params.arguments }, signal)) as CallToolResult;
      } catch (error) {
        if (error instanceof McpError) throw passedOn(error);
        if (!(error instanceof SessionError)) throw error;
        return { content: [{ type: 'text', text: error.message }], isError: true };
      }
    });
    const over = new Promise<void>((resolve) => {
      server.onclose = resolve;
      streams.stdin.once('end', resolve).once('close', resolve);
      streams.stdout.once('error', () => resolve());
    });
    await server.connect(new StdioServerTransport(streams.stdin, streams.stdout));
    await over;
    await server.close();
    return EXIT.ok;
  } finally {
    await upstream.close();
  }
}

/** The gateway's answer as it was, without the prefix that this program's client has put before it: its own client adds one. */
function passedOn({ code, message, data }: McpError): Error {
  return Object.assign(new Error(message.replace(/^(?:MCP error -?\d+: )+/, '')), { code, data });
}
