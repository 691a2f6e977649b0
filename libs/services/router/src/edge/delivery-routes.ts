/** Outbound messages over HTTP: `GET /v1/deliveries` as server-sent events, and their acknowledgement. */
import { AckDeliveryRequest, StreamDeliveriesRequest } from '@sessions/contracts';
import type { Delivery } from '@sessions/contracts';
import { DEFAULT_ACCOUNT_ID, SessionError, isJsonObject } from '@sessions/domain';
import { toSessionError } from '@sessions/bus';
import type { HandlerDeps } from '../deps';
import { openDeliveries } from '../handlers/deliveries';
import type { RouterHandlers } from '../handlers/router-service';
import { EventStream } from './event-stream';
import { readJsonBody, sendJson } from './http-answer';
import type { HttpCall, HttpRoute } from './http-server';

export interface DeliveryRoutesDeps extends HandlerDeps {
  readonly handlers: RouterHandlers;
  readonly closing: AbortSignal;
}

export function createDeliveryRoutes(deps: DeliveryRoutesDeps): readonly HttpRoute[] {
  return [
    { method: 'GET', path: '/v1/deliveries', pattern: /^\/v1\/deliveries$/, serve: (call) => getDeliveries(deps, call) },
    { method: 'POST', path: '/v1/deliveries/{deliveryId}/ack', pattern: /^\/v1\/deliveries\/([^/]{1,256})\/ack$/, serve: (call) => postAck(deps, call) },
  ];
}

async function getDeliveries(deps: DeliveryRoutesDeps, { response, url, context, isAllowed }: HttpCall): Promise<void> {
  const channel = url.searchParams.get('channel') ?? '';
  if (channel === '') throw new SessionError('VALIDATION', 'channel required');
  const request = StreamDeliveriesRequest.create({ channel, accountId: url.searchParams.get('accountId') ?? undefined });
  // What can be refused is refused before the stream is open.
  await openDeliveries(deps, channel, request.accountId ?? DEFAULT_ACCOUNT_ID, context);
  const stream = new EventStream(response, deps.clock, isAllowed);
  stream.open();
  const live = { ...context, deadlineAtMs: Infinity, signal: AbortSignal.any([context.signal, deps.closing]) };
  try {
    for await (const { delivery } of deps.handlers.streamDeliveries(request, live)) {
      if (delivery !== undefined) await stream.send('delivery', toJson(delivery), delivery.deliveryId);
      if (stream.isOver) return;
    }
  } catch (thrown) {
    // The stream is open: its end is all that can be said, and the client comes again.
    if (toSessionError(thrown).reason === 'INTERNAL') deps.logger.error('a stream of deliveries ended', { err: thrown });
  } finally {
    stream.end();
  }
}

function toJson({ deliveryId, runId, agentId, inReplyTo, route, text, attachments, attempt }: Delivery): Record<string, unknown> {
  const files = attachments.map(({ name, mimeType, content }) => ({ name, mimeType, content: content?.toString('base64') }));
  return { deliveryId, runId, agentId, inReplyTo, route, text, ...(files.length > 0 && { attachments: files }), attempt };
}

async function postAck({ handlers }: DeliveryRoutesDeps, { request, response, captured, context }: HttpCall): Promise<void> {
  const body = await readJsonBody(request);
  if (!isJsonObject(body) || typeof body.ok !== 'boolean') throw new SessionError('VALIDATION', 'ok must be true or false');
  const { ok, channelMessageId, error, retry } = body;
  const result = {
    ok,
    channelMessageId: typeof channelMessageId === 'string' ? channelMessageId : undefined,
    error: typeof error === 'string' ? error : undefined,
    retry: retry !== false,
  };
  const { state } = await handlers.ackDelivery(AckDeliveryRequest.create({ deliveryId: captured[0] ?? '', result }), context);
  sendJson(response, state === 'unknown' ? 404 : 200, { ok: state !== 'unknown', state });
}
