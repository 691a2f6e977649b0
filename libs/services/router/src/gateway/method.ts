/** What a method of the gateway is made of. */
import type { JsonObject } from '@sessions/domain';
import type { CallContext } from '@sessions/bus';
import type { ConfigFileState, Metrics } from '@sessions/host';
import type { Audit } from '../auth/audit';
import type { HandlerDeps } from '../deps';
import type { RouterHandlers } from '../handlers/router-service';
import type { Connection } from './connection';
import type { Outcome } from './connection-deps';
import type { GatewayRows } from './rows';

export interface GatewayDeps extends HandlerDeps {
  readonly handlers: RouterHandlers;
  readonly rows: GatewayRows;
  readonly audit: Audit;
  readonly version: string;
  readonly configPath: string;
  /** Undefined where nobody reads a file. */
  readonly configFile: (() => ConfigFileState) | undefined;
  readonly authMode: string;
  /** Of this process. */
  readonly eventLoop: Metrics['eventLoop'];
  /** Milliseconds since the router started. */
  readonly uptimeMs: () => number;
  /** Sends a numbered event to every connection that may read, and may see the agent. */
  readonly broadcast: (event: string, payload: unknown, agentId: string) => void;
}

export interface MethodCall {
  readonly method: string;
  /** Checked against the method's closed set. */
  readonly params: JsonObject;
  readonly connection: Connection;
  readonly context: CallContext;
}

export type GatewayMethod = (deps: GatewayDeps, call: MethodCall) => Promise<Outcome>;

/** Members of checked parameters, typed. */
export const textOf = (params: JsonObject, name: string): string | undefined => {
  const value = params[name];
  return typeof value === 'string' ? value : undefined;
};
export const numberOf = (params: JsonObject, name: string): number | undefined => {
  const value = params[name];
  return typeof value === 'number' ? value : undefined;
};
export const flagOf = (params: JsonObject, name: string): boolean => params[name] === true;
