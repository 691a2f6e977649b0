/** The table of operations, tried on every door with every scope: no door gives what another refuses. */
import { Metadata, credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import type { Client, ServiceError } from '@grpc/grpc-js';
import { RouterServiceService } from '@sessions/contracts';
import { methodOfPath } from '@sessions/bus';
import type { MethodShape } from '@sessions/bus';
import { KNOWN_METHODS } from '../gateway/methods';
import { createHttpRoutes } from '../edge/http-routes';
import type { HttpRoutesDeps } from '../edge/http-routes';
import { configOf, startRouter } from '../testing/router-harness';
import type { RunningRouter } from '../testing/router-harness';
import { OPERATIONS, scopeOf, scopeOfRoute, scopeOfRpc } from './operations';
import { holdsScope } from './scopes';
import type { OperatorScope } from './scopes';

const HOLDERS: readonly (readonly [name: string, scopes: readonly string[]])[] = [
  ['nothing', []],
  ['read', ['operator.read']],
  ['write', ['operator.write']],
  ['admin', ['operator.admin']],
  ['strange', ['operator.approvals', 'operator', 'OPERATOR.ADMIN']],
];
const tokens = HOLDERS.map(([name, scopes]) => ({ name, token: `token-of-${name}`, scopes }));
const RouterClient = makeGenericClientConstructor(RouterServiceService, 'RouterService');

let running: RunningRouter;
let grpc: Client;
beforeAll(async () => {
  running = await startRouter({ gateway: { auth: { tokens } } }, { grpcListen: { host: '127.0.0.1', port: 0 } });
  grpc = new RouterClient(`127.0.0.1:${String(running.router.grpcAddress()?.port)}`, credentials.createInsecure());
});
afterAll(async () => {
  grpc.close();
  await running.stop();
});

const rpcs = Object.entries(RouterServiceService).map(([member, definition]) => ({ member, method: definition as unknown as MethodShape, name: methodOfPath(definition.path) }));

/** True when the door let the call through to what serves it. */
async function passesRpc(member: string, method: MethodShape, token: string): Promise<boolean> {
  const meta = new Metadata();
  meta.set('authorization', `Bearer ${token}`);
  const request = method.requestDeserialize(Buffer.alloc(0));
  const begin = (grpc as unknown as Record<string, (...args: unknown[]) => { on(event: string, listener: (value: ServiceError) => void): void; cancel(): void; resume(): void }>)[member];
  const options = { deadline: Date.now() + 2_000 };
  const error = await new Promise<ServiceError | null>((resolve) => {
    if (!method.responseStream) return void begin?.call(grpc, request, meta, options, (refused: ServiceError | null) => resolve(refused));
    const stream = begin?.call(grpc, request, meta, options);
    stream?.on('error', resolve);
    stream?.on('data', () => {
      resolve(null);
      stream.cancel();
    });
    stream?.on('end', () => resolve(null));
  });
  return error === null || !error.details.startsWith('missing scope');
}

const ROUTES = OPERATIONS.flatMap(({ routes = [] }) => routes);
const pathOf = (route: string): string => (route.split(' ')[1] ?? '').replace(/\{\w+\}/, 'nope');

async function passesRoute(route: string, token: string): Promise<boolean> {
  const [method = 'GET'] = route.split(' ');
  const answer = await fetch(running.url + pathOf(route), { method, headers: { authorization: `Bearer ${token}` }, ...(method === 'POST' && { body: '{}' }) });
  const text = await answer.text();
  return answer.status !== 401 && !text.includes('missing scope');
}

describe('the table of operations', () => {
  it('names every method of every door once', () => {
    const methods = OPERATIONS.flatMap((operation) => operation.methods);
    const names = OPERATIONS.flatMap(({ rpc }) => (rpc === undefined ? [] : [rpc]));
    expect([...methods].sort()).toEqual([...new Set(methods)].sort());
    expect(KNOWN_METHODS.filter((method) => !methods.includes(method))).toEqual([]);
    expect([...names].sort()).toEqual(rpcs.map(({ name }) => name).sort());
    expect(new Set(ROUTES).size).toBe(ROUTES.length);
  });

  it('names every route that HTTP serves, but for those that judge their callers by themselves', () => {
    const served = createHttpRoutes({ config: () => configOf({}) } as unknown as HttpRoutesDeps).map(({ method, path, isOwnGuard = false }) => ({ route: `${method} ${path}`, isOwnGuard }));
    const own = served.filter(({ isOwnGuard }) => isOwnGuard).map(({ route }) => route);
    expect(own.sort()).toEqual(['GET /openapi.json', 'POST /hooks/agent', 'POST /hooks/wake']);
    expect(served.filter(({ isOwnGuard }) => !isOwnGuard).map(({ route }) => route).sort()).toEqual([...ROUTES].sort());
  });

  it('asks for the administrator where it is silent', () => {
    for (const word of ['toString', '__proto__', 'sessions.list ', 'constructor']) {
      expect([scopeOf(word), scopeOfRpc(word), scopeOfRoute(word)]).toEqual(['operator.admin', 'operator.admin', 'operator.admin']);
    }
  });
});

describe.each(HOLDERS)('a token that grants %s', (name, scopes) => {
  const token = `token-of-${name}`;
  const allowed = (needed: OperatorScope): boolean => holdsScope(scopes, needed);

  it('opens for each operation all doors or none', async () => {
    const client = await running.client(scopes, token);
    for (const { scope, methods, rpc, routes = [] } of OPERATIONS) {
      for (const method of methods) {
        const answer = await client.request(method, { bogus: true });
        expect([method, answer.ok || !answer.error.message.startsWith('missing scope')]).toEqual([method, allowed(scope)]);
      }
      const shape = rpcs.find(({ name: own }) => own === rpc);
      if (shape !== undefined) expect([rpc, await passesRpc(shape.member, shape.method, token)]).toEqual([rpc, allowed(scope)]);
      for (const route of routes) expect([route, await passesRoute(route, token)]).toEqual([route, allowed(scope)]);
    }
  }, 60_000);
});
