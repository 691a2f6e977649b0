/**
 * The one connection of a process to its bus: made within a bound, watched while it lives, explained
 * when it cannot be made. What loses its connection stays; the transport connects again by itself.
 */
import type { AppEnvironment } from './app-environment';
import { createBusReports, type BusReportFacts, type BusReportsDeps } from './bus-reports';
import { SessionError } from '@sessions/domain';

/** What a process needs of its connection beside the services' use. */
export interface AppBus {
  readonly connected: boolean;
  close(): Promise<void>;
}

/** How to reach the bus. */
export interface BusConnection {
  readonly servers: readonly string[];
  readonly service: string;
  readonly instance: string;
  readonly subjectPrefix: string;
  readonly credsFile?: string;
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string };
  readonly connectTimeoutMs: number;
  readonly onReport: (report: BusReportFacts) => void;
}

export type ConnectBus<B extends AppBus> = (connection: BusConnection) => Promise<B>;

/** What of the environment says how to reach the bus. */
export type BusEnvironment = Pick<AppEnvironment, 'servers' | 'credsFile' | 'caFile' | 'certFile' | 'keyFile' | 'connectTimeoutMs'>;

export interface BusLink {
  /** @throws NO_OWNER with a sentence that names the servers, without credentials */
  connect<B extends AppBus>(connect: ConnectBus<B>, environment: BusEnvironment, who: Pick<BusConnection, 'service' | 'instance' | 'subjectPrefix'>): Promise<B>;
  /** Brings the health up to date. */
  readonly look: () => void;
}

export function createBusLink(deps: Omit<BusReportsDeps, 'isConnected'>): BusLink {
  let bus: AppBus | undefined;
  const reports = createBusReports({ ...deps, isConnected: () => bus?.connected });
  return {
    async connect(connect, environment, who) {
      const { servers, credsFile, connectTimeoutMs } = environment;
      try {
        const made = await connect({ ...who, servers, connectTimeoutMs, onReport: reports.note, ...(credsFile !== undefined && { credsFile }), ...tlsOf(environment) });
        bus = made;
        reports.look();
        return made;
      } catch (error) {
        throw unreachable(environment, error);
      }
    },
    look: reports.look,
  };
}

function tlsOf({ caFile, certFile, keyFile }: BusEnvironment): Pick<BusConnection, 'tls'> {
  if (caFile === undefined && certFile === undefined && keyFile === undefined) return {};
  return { tls: { ...(caFile !== undefined && { caFile }), ...(certFile !== undefined && { certFile }), ...(keyFile !== undefined && { keyFile }) } };
}

/** Addresses as people may see them: without user and password. */
export function shownServers(servers: readonly string[]): string {
  return servers.map((server) => server.replace(/^([a-z]+:\/\/)?.*@/iu, '$1')).join(', ');
}

function unreachable({ servers, connectTimeoutMs }: BusEnvironment, error: unknown): SessionError {
  // Refused credentials and files that cannot be read are told by the transport as they are.
  if (error instanceof SessionError && error.reason !== 'NO_OWNER') return error;
  const { code } = (error ?? {}) as { code?: unknown };
  const why = error instanceof SessionError ? error.message : typeof code === 'string' ? code : 'no answer';
  return new SessionError('NO_OWNER', `NATS at ${shownServers(servers)} could not be reached within ${connectTimeoutMs} ms (${redacted(why, servers)}).`, {
    hint: 'Start nats-server there, or name another with SESS_NATS_URL.',
    cause: error,
  });
}

/** An error of the client may quote the address it tried, password included. */
const redacted = (text: string, servers: readonly string[]): string => servers.reduce((shown, server) => shown.replaceAll(server, shownServers([server])), text);
