/** What every command starts from: the environment and the configuration, read once. */
import type { CliIo } from './cli-io';
import { parseConfig } from '@sessions/domain';
import type { ConfigProblem, Places, SessionConfig } from '@sessions/domain';
import { loadConfigSync, readEnvironment } from '@sessions/host';
import type { HostEnvironment } from '@sessions/host';

export interface CliContext {
  readonly environment: HostEnvironment;
  readonly config: SessionConfig;
  readonly configExists: boolean;
  readonly warnings: readonly ConfigProblem[];
  readonly places: Places;
  /** Directory that relative paths start from. */
  readonly cwd: string;
}

/** @throws CONFIG_INVALID naming every problem */
export function loadCliContext(io: CliIo): CliContext {
  const environment = readEnvironment(io.env, io.accountHome);
  const loaded = loadConfigSync(environment.configPath, (raw) => parseConfig(raw, io.env));
  const { warnings, exists } = loaded;
  const { gatewayPort: port = loaded.config.gateway.port } = environment;
  const config = { ...loaded.config, gateway: { ...loaded.config.gateway, port } };
  const places = { stateDir: environment.stateDir, homeDir: environment.homeDir };
  return { environment, config, configExists: exists, warnings, places, cwd: io.cwd };
}
