/**
 * The router: the edge of the system. Stateless: what it holds (connections, subscriptions, a
 * moment's list of agents) is gone with it and nothing is lost.
 */
import { SessionError, configuredAgents } from '@sessions/domain';
import { createSubjects } from '@sessions/bus';
import type { Served } from '@sessions/bus';
import type { Service } from '@sessions/host';
import { createAudit } from './auth/audit';
import { authModeOf, authorityOf } from './auth/authority-of';
import { isOpen } from './auth/credentials';
import type { Authority } from './auth/credentials';
import { FailureLimit } from './auth/failure-limit';
import { createGuard } from './auth/guard';
import { seesAgent } from './auth/scopes';
import type { HandlerDeps, RouterDeps } from './deps';
import { createGrpcEdge } from './edge/grpc';
import { createHttpRoutes } from './edge/http-routes';
import { createHttpServer } from './edge/http-server';
import { createGatewaySockets } from './edge/websocket';
import { createFanOut } from './fan-out';
import type { Connection } from './gateway/connection';
import { createGatewayEvents } from './gateway/events';
import type { GatewayDeps } from './gateway/method';
import { KNOWN_METHODS, contextOf, hearsBroadcasts, serveRequest } from './gateway/methods';
import { healthPayload } from './gateway/methods/health';
import { RightsWatch } from './gateway/rights-watch';
import { createGatewayRows } from './gateway/rows';
import { createHandOverWorker } from './hand-over/hand-over-worker';
import { readRun } from './handlers/find-run';
import { createRouterHandlers, serveOnBus } from './handlers/router-service';
import { helloPayload } from './hello';
import { mcpTools } from './mcp/mcp-route';
import { McpSessions } from './mcp/mcp-sessions';
import { ownContext } from './own-calls';
import { createRunEnds } from './run-ends';
import { RunPlaces } from './run-places';
import { TurnSends } from './tools/turn-sends';
import { createKnownAgents } from './store/known-agents';
import { createStoreCalls } from './store/store-calls';
import { createWorkerCalls } from './store/worker-calls';

/** Rows of one list answer at the edge, encoded bytes; their JSON is cut by its own bound. */
const EDGE_LIST_BYTES_MAX = 24 * 1024 * 1024;

export interface Router extends Service {
  /** Where HTTP and WebSocket are served; only while it runs. */
  address(): { readonly host: string; readonly port: number };
  /** Where gRPC is served; undefined when it is not. */
  grpcAddress(): { readonly host: string; readonly port: number } | undefined;
}

export function createRouter(deps: RouterDeps): Router {
  const { bus, clock, logger, config, auth } = deps;
  const startedAtMs = clock.monotonicMs();
  const uptimeMs = (): number => Math.round(clock.monotonicMs() - startedAtMs);
  // Where it listens was allowed for what was configured then: what asked for a secret goes on to ask for one.
  const beganOpen = isOpen(authorityOf(auth, config()));
  const authority = (): Authority => ({ ...authorityOf(auth, config()), ...(!beganOpen && { isSecretExpected: true }) });
  const limit = new FailureLimit(clock);
  const audit = createAudit({ clock, logger, metrics: deps.metrics });
  const guard = createGuard({ authority, limit, audit });
  const subjects = createSubjects(deps.subjectPrefix);
  const closing = new AbortController();
  const stores = createStoreCalls({ bus, subjects, instance: deps.instance, random: deps.random ?? Math.random, isConfigured: (agentId) => configuredAgents(config()).ids.some((id) => id === agentId) });
  const workers = createWorkerCalls({ bus, subjects, instance: deps.instance });
  const agents = createKnownAgents({ stores, clock, config });
  const { stateDir, homeDir } = deps;
  const fanOut = createFanOut({ bus, subjects, clock, logger, stores, instance: deps.instance });
  const runEnds = createRunEnds(fanOut, clock);
  const runPlaces = new RunPlaces();
  fanOut.add((event) => runPlaces.noteEvent(event));
  const handlerDeps: HandlerDeps = { config, clock, stores, workers, agents, runEnds, runPlaces, turnSends: new TurnSends(), bus, subjects, logger, stateDir, homeDir };
  const handlers = createRouterHandlers(handlerDeps, fanOut, EDGE_LIST_BYTES_MAX);
  const rows = createGatewayRows(config);

  const gatewayDeps: GatewayDeps = {
    ...handlerDeps,
    handlers,
    rows,
    audit,
    version: deps.version,
    configPath: deps.configPath,
    configFile: deps.configFile,
    authMode: authModeOf(auth, config()),
    eventLoop: () => deps.metrics.eventLoop(),
    uptimeMs,
    broadcast(event, payload, agentId) {
      for (const connection of sockets.connections) {
        if (hearsBroadcasts(connection) && seesAgent(connection.scopes, agentId)) connection.broadcast(event, payload);
      }
    },
  };
  const connected = deps.metrics.gauge('sessions_gateway_connections', 'Open WebSocket connections of clients');
  const durations = deps.metrics.durations('sessions_gateway_request_seconds', 'Time to answer a request of the gateway protocol', ['method']);
  const sockets = createGatewaySockets({
    clock,
    logger,
    handshakeFacts: (failureKey) => ({ authority: authority(), isLimited: limit.waitMs(failureKey) > 0 }),
    onRefused({ error, isFailure }, address, failureKey) {
      if (isFailure === true) limit.note(failureKey);
      const { code } = error.details ?? {};
      audit({ door: 'websocket', operation: 'connect', reason: typeof code === 'string' ? code : error.code, address });
    },
    hello: async (connection) => helloPayload(gatewayDeps, connection),
    async serve(connection, frame) {
      rights.look();
      if (connection.isClosing) throw new SessionError('SHUTTING_DOWN', 'service restart');
      const beganAtMs = clock.monotonicMs();
      const method = KNOWN_METHODS.includes(frame.method) ? frame.method : 'other';
      try {
        return await serveRequest(gatewayDeps, connection, frame);
      } finally {
        durations.observe({ method }, (clock.monotonicMs() - beganAtMs) / 1000);
      }
    },
    onConnected(connection) {
      connected.set(sockets.connections.size);
      if (hearsBroadcasts(connection)) void sendHealth(connection);
    },
    onClosed: () => connected.set(sockets.connections.size),
  });
  const rights = new RightsWatch({ clock, config, connections: () => sockets.connections });
  // A store that another router had made shows in lists as soon as it is written to.
  fanOut.add((event) => agents.noteWritten(event.agentId));
  const isFollowed = (key: string): boolean => [...sockets.channels].some((channel) => channel.follows(key));
  const readRunAtOwner = (agentId: string, runId: string) => readRun(handlerDeps, agentId, runId, ownContext({ bus, instance: deps.instance, signal: closing.signal }));
  fanOut.add(createGatewayEvents({ channels: sockets.channels, rows, clock, readRun: readRunAtOwner }), isFollowed);

  const sendHealth = async (connection: Connection): Promise<void> => {
    try {
      connection.broadcast('health', await healthPayload(gatewayDeps, contextOf(gatewayDeps, connection)));
    } catch (err) {
      if (!connection.signal.aborted) logger.warn('the health of the stores could not be told', { err });
    }
  };

  const mcp = new McpSessions({ clock, version: deps.version, toolsFor: (owner) => mcpTools(handlerDeps, owner) });
  const http = createHttpServer({
    bus,
    clock,
    logger,
    metrics: deps.metrics,
    health: deps.health,
    guard,
    uptimeMs,
    routes: createHttpRoutes({ ...handlerDeps, fanOut, rows, handlers, guard, metrics: deps.metrics, version: deps.version, mcp, closing: closing.signal }),
    onUpgrade: (request, socket, head) => sockets.handleUpgrade(request, socket, head),
  });
  const grpc =
    deps.grpcListen === undefined
      ? undefined
      : createGrpcEdge({ bus, logger, handlers, guard, closing: closing.signal, ...(deps.grpcTls !== undefined && { tls: deps.grpcTls }), ...(deps.protoDir !== undefined && { protoDir: deps.protoDir }) });
  let served: Served | undefined;
  const handOver = createHandOverWorker({ ...handlerDeps, metrics: deps.metrics, instance: deps.instance, fanOut });

  const stop = async (): Promise<void> => {
    rights.stop();
    sockets.stop();
    grpc?.stop();
    await Promise.all([mcp.close(), http.stop(), fanOut.stop(), served?.stop(), handOver.stop()]);
  };

  return {
    name: 'router',
    address: () => http.address(),
    grpcAddress: () => grpc?.address(),
    async start() {
      try {
        await fanOut.start();
        await handOver.start();
        served = await serveOnBus(handlerDeps, fanOut);
        if (deps.grpcListen !== undefined) await grpc?.listen(deps.grpcListen);
        await http.listen(deps.listen);
      } catch (error) {
        await stop();
        throw error;
      }
      rights.start();
      logger.info('router is listening', { port: http.address().port });
      if (grpc !== undefined && deps.grpcListen !== undefined) logger.info('gRPC is served', { port: grpc.address().port });
    },
    async drain() {
      sockets.drain();
      closing.abort(new SessionError('SHUTTING_DOWN', 'the router is going away'));
      await Promise.all([mcp.close(), http.drain(), grpc?.drain(), served?.stop(), handOver.drain()]);
    },
    stop,
  };
}
