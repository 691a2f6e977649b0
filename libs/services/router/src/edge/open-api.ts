/** The HTTP door's own description, OpenAPI 3.1. A test holds it against the routes that are served. */

type Json = Readonly<Record<string, unknown>>;

const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });
const object = (properties: Json, required: readonly string[] = []): Json => ({ type: 'object', properties, ...(required.length > 0 && { required }) });
const text: Json = { type: 'string' };
const flag: Json = { type: 'boolean' };
const whole: Json = { type: 'integer' };
const listOf = (items: Json): Json => ({ type: 'array', items });
const content = (schema: Json, type = 'application/json'): Json => ({ content: { [type]: { schema } } });
const answer = (description: string, schema: Json, type?: string): Json => ({ description, ...content(schema, type) });
const refused = (...statuses: readonly number[]): Json => Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${REFUSALS[status] ?? 'Refused'}` }]));
const inPath = (name: string, description: string): Json => ({ name, in: 'path', required: true, description, schema: text });
const inQuery = (name: string, description: string, schema: Json): Json => ({ name, in: 'query', description, schema });
const body = (schema: Json): Json => ({ required: true, ...content(schema) });

const REFUSALS: Readonly<Record<number, string>> = { 401: 'Unauthorized' };
const sessionKey = inPath('sessionKey', 'A session key, bare or full, or a session id; URL-encoded or raw');
const hook = [{ hookToken: [] }];
const open: readonly Json[] = [];

interface Described {
  readonly summary: string;
  readonly security?: readonly Json[];
  readonly parameters?: readonly Json[];
  readonly requestBody?: Json;
  readonly responses: Json;
}

const health = (operationId: string): Json =>
  operation(operationId, { summary: 'The process lives', security: open, responses: { 200: answer('It does', object({ ok: flag, status: { const: 'live' } }, ['ok', 'status'])) } });
const ready = (operationId: string): Json =>
  operation(operationId, {
    summary: 'Requests can be served',
    security: open,
    responses: { 200: answer('They can', ref('Readiness')), 503: answer('Not now; what is missing', ref('Readiness')) },
  });

function operation(operationId: string, described: Described): Json {
  return { operationId, ...described };
}

export function openApiDocument(version: string): Json {
  return {
    openapi: '3.1.0',
    info: { title: 'Sessions over HTTP', version, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: '/' }],
    security: [{ gatewayToken: [] }],
    paths: PATHS,
    components: {
      securitySchemes: {
        gatewayToken: { type: 'http', scheme: 'bearer', description: 'The token or password of the gateway, or the token of one user' },
        hookToken: { type: 'http', scheme: 'bearer', description: '`hooks.token` of the configuration' },
      },
      responses: {
        Unauthorized: answer('No good token', object({ error: object({ message: text, type: { const: 'unauthorized' } }, ['message', 'type']) }, ['error'])),
        Refused: answer('Refused, and why', ref('Refusal')),
      },
      schemas: SCHEMAS,
    },
  };
}

const SCHEMAS: Json = {
  Refusal: object({ ok: { const: false }, error: object({ type: text, message: text, reason: text, hint: text }, ['type', 'message']) }, ['ok', 'error']),
  Readiness: object({ ready: flag, failing: listOf(text), uptimeMs: whole, eventLoop: object({ longestStallMs: whole }) }, ['ready', 'failing']),
  Message: { type: 'object', description: 'A chat message as it stands in the transcript, with its identity under `__openclaw`', additionalProperties: true },
  History: object(
    { sessionKey: text, sessionId: text, items: listOf(ref('Message')), messages: listOf(ref('Message')), hasMore: flag, nextCursor: text },
    ['sessionKey', 'items', 'messages', 'hasMore'],
  ),
  Envelope: { type: 'object', description: 'One message from outside; unknown members are refused by name', additionalProperties: true },
  Accepted: object({ ok: flag, status: text, agentId: text, sessionKey: text, sessionId: text, runId: text, matchedBy: text }, ['ok', 'status', 'agentId', 'sessionKey']),
};

const PATHS: Json = {
  '/health': { get: health('getHealth') },
  '/healthz': { get: health('getHealthz') },
  '/ready': { get: ready('getReady') },
  '/readyz': { get: ready('getReadyz') },
  '/metrics': { get: operation('getMetrics', { summary: 'Measurements', responses: { 200: answer('Prometheus text', text, 'text/plain'), ...refused(401, 403, 429) } }) },
  '/openapi.json': { get: operation('getOpenApi', { summary: 'This document', security: open, responses: { 200: answer('OpenAPI', { type: 'object' }) } }) },
  '/v1/messages': {
    post: operation('postMessage', {
      summary: 'Take a message in and find its session',
      parameters: [
        inQuery('wait', 'Hold the answer until the run ends, milliseconds', { type: 'integer', minimum: 0, maximum: 600_000 }),
        { name: 'Idempotency-Key', in: 'header', schema: { type: 'string', minLength: 1, maxLength: 256 } },
      ],
      requestBody: body(ref('Envelope')),
      responses: { 200: answer('Seen before, handled or ignored', ref('Accepted')), 202: answer('Kept', ref('Accepted')), ...refused(400, 401, 403, 404, 409, 413, 429, 503) },
    }),
  },
  '/mcp': {
    post: operation('postMcp', {
      summary: 'A message of the Model Context Protocol, streamable HTTP; the session tools',
      parameters: [inQuery('sessionKey', 'The session that the client acts for; absent: the main session of the default agent', text)],
      requestBody: body({ type: 'object', description: 'JSON-RPC 2.0' }),
      responses: { 200: answer('The answer as server-sent events', text, 'text/event-stream'), 202: { description: 'Noted' }, ...refused(400, 401, 403, 404, 413, 429, 503) },
    }),
    delete: operation('endMcpSession', { summary: 'End the session of the Model Context Protocol', responses: { 200: { description: 'Ended' }, ...refused(400, 401, 403, 404, 429, 503) } }),
  },
  '/v1/deliveries': {
    get: operation('streamDeliveries', {
      summary: 'Outbound messages of one channel login',
      parameters: [{ ...inQuery('channel', 'The channel', text), required: true }, inQuery('accountId', 'The login; absent: default', text)],
      responses: { 200: answer('Server-sent events `delivery`', text, 'text/event-stream'), ...refused(400, 401, 403, 429, 503) },
    }),
  },
  '/v1/deliveries/{deliveryId}/ack': {
    post: operation('ackDelivery', {
      summary: 'Say what became of a delivery',
      parameters: [inPath('deliveryId', 'As in the event')],
      requestBody: body(object({ ok: flag, channelMessageId: text, error: text, retry: flag }, ['ok'])),
      responses: { 200: answer('Noted', object({ ok: flag, state: text }, ['ok', 'state'])), ...refused(400, 401, 403, 404, 429, 503) },
    }),
  },
  '/sessions/{sessionKey}/history': {
    get: operation('getHistory', {
      summary: 'Messages of a session, newest page first, or a live view',
      parameters: [
        sessionKey,
        inQuery('limit', 'Messages of a page', { type: 'integer', minimum: 1, maximum: 1000 }),
        inQuery('cursor', 'Messages before this one, `13` or `seq:13`', text),
        inQuery('includeTools', 'With tool calls and their results', { enum: ['0', '1'] }),
        inQuery('follow', 'A live view, as with `Accept: text/event-stream`', { enum: ['0', '1'] }),
        inQuery('lastEventId', 'Go on behind this event, as `Last-Event-ID`', text),
      ],
      responses: { 200: { description: 'A page, or events', content: { 'application/json': { schema: ref('History') }, 'text/event-stream': { schema: text } } }, ...refused(400, 401, 403, 404, 429, 503) },
    }),
  },
  '/sessions/{sessionKey}/kill': {
    post: operation('killSession', {
      summary: 'End what a session and its children run',
      parameters: [sessionKey],
      responses: { 200: answer('Done; `killed:false`: nothing ran', object({ ok: flag, killed: flag }, ['ok', 'killed'])), ...refused(401, 403, 404, 429, 503) },
    }),
  },
  '/tools/invoke': {
    post: operation('invokeTool', {
      summary: 'Use a tool as an agent does',
      requestBody: body(object({ tool: text, args: { type: 'object' }, action: text, sessionKey: text }, ['tool'])),
      responses: { 200: answer('What the tool said', object({ ok: flag, result: { type: 'object' } }, ['ok'])), ...refused(400, 401, 403, 404, 429) },
    }),
  },
  '/hooks/agent': {
    post: operation('postHookAgent', {
      summary: 'A webhook into a session; the path follows `hooks.path`',
      security: hook,
      requestBody: body(object({ message: text, name: text, agentId: text, sessionKey: text, deliver: flag, idempotencyKey: text }, ['message'])),
      responses: { 200: answer('Kept', object({ ok: flag, runId: text, sessionKey: text }, ['ok', 'runId'])), ...refused(400, 401, 404, 413, 429, 503) },
    }),
  },
  '/hooks/wake': {
    post: operation('postHookWake', {
      summary: 'A note into the main session; the path follows `hooks.path`',
      security: hook,
      requestBody: body(object({ text, mode: { enum: ['now', 'next-heartbeat'] } }, ['text'])),
      responses: { 200: answer('Kept', object({ ok: flag, mode: text }, ['ok', 'mode'])), ...refused(400, 401, 404, 413, 429, 503) },
    }),
  },
};
