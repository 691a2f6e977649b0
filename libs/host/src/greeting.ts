/** What a newcomer needs next, once a gateway listens: the same words however it runs. */

export interface Greeting {
  readonly host: string;
  readonly port: number;
  /** Where commands look for the gateway unless they are told; absent: at its port. */
  readonly configuredPort?: number | undefined;
  readonly grpc?: { readonly host: string; readonly port: number } | undefined;
  /** Further lines about how it runs. */
  readonly about?: readonly string[];
  readonly stateDir: string;
  readonly agentIds: readonly string[];
  readonly defaultAgentId: string;
  /** Whether clients must present a token or password. */
  readonly isOpen: boolean;
}

const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** Lines for standard output. */
export function greetingLines({ host, port, configuredPort = port, grpc, about = [], stateDir, agentIds, defaultAgentId, isOpen }: Greeting): readonly string[] {
  const shown = WILDCARDS.has(host) ? '127.0.0.1' : host;
  return [
    `Gateway listening on http://${shown}:${port} (WebSocket on the same port${grpc === undefined ? '' : `, gRPC on ${grpc.host}:${grpc.port}`})`,
    ...(shown === host ? [] : [`Other machines of the network reach it too (listening on ${host}).`]),
    ...about,
    `State directory: ${stateDir}`,
    `Agents: ${agentIds.join(', ')} (default ${defaultAgentId})`,
    '',
    'Try next, in another terminal:',
    ...(configuredPort === port ? [] : [`  export OPENCLAW_GATEWAY_PORT=${port}    # the configuration has ${configuredPort}`]),
    '  npx openclaw status',
    `  npx openclaw gateway call chat.send --params '{"sessionKey":"main","message":"Hello","idempotencyKey":"hello-1"}'`,
    '  npx openclaw sessions history main',
    ...(isOpen ? ['', 'No token is configured: every program on this machine may use this gateway.'] : []),
  ];
}
