/** gRPC over TLS, and with certificates of the clients; methods and their time. */
import { Metadata, credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import type { ChannelCredentials, Client, ServiceError } from '@grpc/grpc-js';
import { DeleteSessionRequest, ListSessionsRequest, PatchSessionRequest, ResetSessionRequest, RestoreSessionRequest, RouterServiceService, SendMessageRequest, WaitRunRequest } from '@sessions/contracts';
import { memoryRun } from '../testing/memory-operations';
import { TOKEN, startRouter } from '../testing/router-harness';
import type { RunningRouter } from '../testing/router-harness';
import { AUTHORITY_CERT, CLIENT_CERT, CLIENT_KEY, SERVER_CERT, SERVER_KEY } from '../testing/test-certificates';
import type { GrpcTls } from './grpc';

const RouterClient = makeGenericClientConstructor(RouterServiceService, 'RouterService');
const SERVER: GrpcTls = { cert: SERVER_CERT, key: SERVER_KEY };

async function withRouter(tls: GrpcTls | undefined, use: (call: (how: ChannelCredentials, method?: string, request?: unknown) => Promise<unknown>, running: RunningRouter) => Promise<void>): Promise<void> {
  const running = await startRouter({}, { grpcListen: { host: '127.0.0.1', port: 0 }, ...(tls !== undefined && { grpcTls: tls }) });
  const open: Client[] = [];
  const call = (how: ChannelCredentials, method = 'listSessions', request: unknown = ListSessionsRequest.create({})): Promise<unknown> => {
    const client = new RouterClient(`localhost:${String(running.router.grpcAddress()?.port)}`, how) as unknown as Client & Record<string, (...args: unknown[]) => unknown>;
    open.push(client);
    const meta = new Metadata();
    meta.set('authorization', `Bearer ${TOKEN}`);
    return new Promise((resolve, reject) => void client[method]?.(request, meta, { deadline: Date.now() + 5_000 }, (error: ServiceError | null, answer: unknown) => (error === null ? resolve(answer) : reject(error))));
  };
  try {
    await use(call, running);
  } finally {
    for (const client of open) client.close();
    await running.stop();
  }
}

describe('gRPC over TLS', () => {
  it('serves who trusts the authority, and nobody in plain text', async () => {
    await withRouter(SERVER, async (call) => {
      await expect(call(credentials.createSsl(AUTHORITY_CERT))).resolves.toMatchObject({ totalCount: 0 });
      await expect(call(credentials.createSsl())).rejects.toMatchObject({ code: 14 });
      await expect(call(credentials.createInsecure())).rejects.toMatchObject({ code: 14 });
    });
  });

  it('asks clients for a certificate where an authority for them is named', async () => {
    await withRouter({ ...SERVER, clientCa: AUTHORITY_CERT }, async (call) => {
      await expect(call(credentials.createSsl(AUTHORITY_CERT, CLIENT_KEY, CLIENT_CERT))).resolves.toMatchObject({ totalCount: 0 });
      await expect(call(credentials.createSsl(AUTHORITY_CERT))).rejects.toMatchObject({ code: 14 });
    });
  });
});

describe('the methods that change sessions', () => {
  it('work over gRPC as over the other doors', async () => {
    await withRouter(undefined, async (callWith, { stores }) => {
      const call = (method: string, request: unknown): Promise<unknown> => callWith(credentials.createInsecure(), method, request);
      const made = (await call('resetSession', ResetSessionRequest.create({ key: 'lab' }))) as { sessionId: string };
      await expect(call('patchSession', PatchSessionRequest.create({ key: 'lab', patchJson: Buffer.from('{"label":"Lab"}') }))).resolves.toMatchObject({ key: 'agent:main:lab' });
      await expect(call('sendMessage', SendMessageRequest.create({ key: 'lab', message: 'x' }))).resolves.toMatchObject({ status: 'kept', sessionId: made.sessionId });
      await expect(call('deleteSession', DeleteSessionRequest.create({ key: 'lab' }))).resolves.toMatchObject({ deleted: true });
      await expect(call('restoreSession', RestoreSessionRequest.create({ key: 'lab' }))).resolves.toMatchObject({ sessionId: made.sessionId });
      await expect(call('deleteSession', DeleteSessionRequest.create({ key: 'main' }))).rejects.toMatchObject({ code: 9 });
      stores.aside('main').runs.set('r', memoryRun({ runId: 'r', state: 'ended', outcome: 'ok', text: 'done' }));
      await expect(call('waitRun', WaitRunRequest.create({ runId: 'r' }))).resolves.toMatchObject({ state: 'ended', outcome: 'ok', text: 'done' });
    });
  });
});
