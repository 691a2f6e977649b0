/** Where clients come in: the HTTP and gRPC doors of one gateway or router, and its WebSocket at the same address. */

const REQUEST_TIMEOUT_MS = 15_000;

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
  /** The text as JSON; undefined when it is none. */
  readonly json: Record<string, unknown> | undefined;
}

export interface HttpRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** undefined: the door's own token; null: no credentials. */
  readonly token?: string | null;
}

export interface DoorPlace {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** `127.0.0.1:<port>` of the gRPC door; undefined when it was not asked for. */
  readonly grpc: string | undefined;
  readonly token: string;
}

export interface Door extends DoorPlace {
  http(path: string, request?: HttpRequest): Promise<HttpAnswer>;
  /** `POST /v1/messages`. @returns undefined when the connection ended without an answer, or the gateway is going away */
  send(envelope: Readonly<Record<string, unknown>>): Promise<HttpAnswer | undefined>;
}

export function doorAt({ url, grpc, token }: DoorPlace): Door {
  const http = async (path: string, { method = 'GET', headers = {}, body, token: other }: HttpRequest = {}): Promise<HttpAnswer> => {
    const credentials: Record<string, string> = other === null ? {} : { authorization: `Bearer ${other ?? token}` };
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...credentials, ...headers },
      ...(body !== undefined && { body }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const text = await response.text();
    return { status: response.status, text, json: jsonOf(text) };
  };
  return {
    url,
    grpc,
    token,
    http,
    async send(envelope) {
      try {
        const answer = await http('/v1/messages', { method: 'POST', body: JSON.stringify(envelope) });
        return answer.status === 503 ? undefined : answer;
      } catch {
        return undefined;
      }
    },
  };
}

function jsonOf(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
