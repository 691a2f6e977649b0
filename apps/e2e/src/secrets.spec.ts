/**
 * Nothing of a conversation leaves it: secrets are planted in whatever clients send, at every door, in
 * requests that go well and in those that are refused; then every line that the gateway printed, its
 * metrics, and every error it answered with are searched for them.
 */
import { Envelope, SearchSessionsRequest, SubmitMessageRequest } from '@sessions/contracts';
import { openGrpc } from './support/grpc-client';
import { TOKEN, useScene } from './support/scene';

const scene = useScene();
/** One for each place, so that a leak names where it came from. */
const planted: string[] = [];
const secret = (place: string): string => {
  const made = `s3cret-${place}-5550199`;
  planted.push(made);
  return made;
};
const leaks = (text: string): string[] => planted.filter((one) => text.includes(one));

it('is in no log line, metric or error', async () => {
  const config = { gateway: { auth: { mode: 'token', token: TOKEN } }, hooks: { enabled: true, token: 'for-hooks', allowRequestSessionKey: true }, session: { dmScope: 'per-channel-peer' } };
  const gateway = await scene.gateway(scene.stateDir(config), { args: ['--grpc-port', '0', '--token', TOKEN] });
  const socket = await scene.socket(gateway);
  const grpc = openGrpc(gateway);
  scene.onEnd(() => grpc.close());
  const errors: string[] = [];
  const counts = { ok: 0, refused: 0 };
  const note = (isOk: boolean, answer: unknown): void => {
    counts[isOk ? 'ok' : 'refused'] += 1;
    if (!isOk) errors.push(JSON.stringify(answer));
  };
  const http = async (path: string, body?: string, more: Record<string, unknown> = {}): Promise<void> => {
    const answer = await gateway.http(path, { ...(body !== undefined && { method: 'POST', body }), ...more });
    note(answer.status < 400, answer.text);
  };
  const ask = async (method: string, params: unknown): Promise<void> => {
    const { ok, error } = await socket.request(method, params);
    note(ok === true, error);
  };
  const call = (method: string, request: unknown): Promise<void> => grpc.call(method, request).then(() => note(true, ''), (error: Error & { details?: string }) => note(false, `${error.message} ${error.details ?? ''}`));

  // Channels, over HTTP and gRPC.
  const direct = (place: string, more: Record<string, unknown> = {}): string => JSON.stringify({ channel: 'telegram', messageId: place, chatType: 'direct', sender: { id: '7', name: secret(`${place}-name`) }, text: secret(`${place}-text`), ...more });
  await http('/v1/messages', direct('message'));
  await http('/v1/messages', direct('unknown-member', { bogus: secret('bogus') }));
  await http('/v1/messages', direct('wrong-type', { text: [secret('text-in-a-list')] }));
  await http('/v1/messages', direct('no-chat', { chatType: 7 }));
  await http('/v1/messages', direct('message', { text: secret('other-text-same-id') }));
  await http('/v1/messages', `{"text":"${secret('cut-json')}`);
  await http('/v1/messages', direct('stranger'), { token: secret('wrong-token') });
  const sender = { id: '7', name: secret('grpc-name'), username: undefined, authority: undefined };
  await call('submitMessage', SubmitMessageRequest.create({ envelope: Envelope.create({ channel: 'telegram', messageId: 'g-1', chatType: 'direct', sender, text: secret('grpc-text') }) }));
  await call('submitMessage', SubmitMessageRequest.create({ envelope: Envelope.create({ channel: 'telegram', messageId: 'g-2', chatType: secret('grpc-chat-type').slice(0, 3), sender, text: secret('grpc-refused') }) }));
  await call('searchSessions', SearchSessionsRequest.create({ query: secret('grpc-query') }));
  // Hooks.
  await http('/hooks/agent', JSON.stringify({ message: secret('hook') }), { token: 'for-hooks' });
  await http('/hooks/agent', JSON.stringify({ message: [secret('hook-in-a-list')] }), { token: 'for-hooks' });
  await http('/hooks/wake', JSON.stringify({ text: secret('wake') }), { token: 'for-hooks' });
  await http('/hooks/wake', JSON.stringify({ text: secret('wake-stranger') }), { token: secret('hook-token') });
  // Clients.
  await ask('sessions.create', { key: 'notes', message: secret('first-message') });
  await ask('chat.send', { sessionKey: 'main', message: secret('chat'), idempotencyKey: 'c-1' });
  await ask('chat.send', { sessionKey: 'main', message: secret('chat-without-key') });
  await ask('chat.send', { sessionKey: 'main', message: { text: secret('chat-object') }, idempotencyKey: 'c-2' });
  await ask('sessions.send', { key: 'notes', message: secret('send'), idempotencyKey: 's-1' });
  await ask('sessions.send', { key: 'nowhere', message: secret('send-nowhere'), idempotencyKey: 's-2' });
  await ask('sessions.send', { key: 'notes', message: secret('send-attached'), attachments: [{ type: 'image', mimeType: 'image/png', content: secret('attachment') }] });
  await ask('chat.inject', { sessionKey: 'notes', message: secret('injected') });
  await ask('agent', { message: secret('agent'), idempotencyKey: 'a-1' });
  await ask('sessions.list', { search: secret('list-search') });
  await ask('sessions.search', { query: secret('query') });
  await ask('sessions.search', { query: `"${secret('query-with-quote')}`, cursor: 'x' });
  await ask('sessions.preview', { keys: ['notes'] });
  await ask('sessions.patch', { key: 'notes', label: secret('label') });
  await http(`/sessions/main/history?cursor=${secret('cursor')}`);
  await http(`/sessions/main/history?limit=1&q=${secret('http-query')}`);
  // Tools.
  for (const tool of ['sessions_history', 'sessions_list', 'session_status', 'sessions_send', 'exec']) {
    await http('/tools/invoke', JSON.stringify({ tool, args: { sessionKey: 'main', message: secret(`${tool}-message`), task: secret(`${tool}-task`) } }));
    await ask('tools.invoke', { name: tool, args: { sessionKey: 'main', message: secret(`${tool}-ws-message`), limit: secret(`${tool}-ws-limit`) } });
  }
  await http('/tools/invoke', `{"tool":"sessions_list","args":"${secret('tool-cut')}`);
  // Frames that are none.
  socket.raw(`{"type":"req","id":"x","method":"chat.send","params":{"message":"${secret('cut-frame')}`);
  socket.raw(JSON.stringify({ type: 'req', id: 'y', method: 'health', bogus: secret('bogus-member') }));
  await ask(`sessions.list`, { bogus: secret('bogus-param') });
  const wrong = await scene.socket(gateway, { token: secret('socket-token') }).then(() => 'let in', (error: Error) => error.message);
  errors.push(wrong);

  // They are there for who may read them.
  expect(leaks((await gateway.http('/sessions/notes/history')).text)).toContain('s3cret-send-5550199');
  const metrics = await gateway.http('/metrics');
  expect(metrics.text).toMatch(/sessions_http_requests_total/u);
  await gateway.stop();
  expect(counts.ok).toBeGreaterThan(12);
  expect(counts.refused).toBeGreaterThan(12);
  expect(gateway.printed()).toMatch(/access was refused/u);
  expect(leaks(gateway.printed())).toEqual([]);
  expect(leaks(metrics.text)).toEqual([]);
  expect(leaks(errors.join('\n'))).toEqual([]);
});
