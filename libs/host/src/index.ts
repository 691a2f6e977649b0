/** What any process needs to run services: environment, configuration file, life, logs, health, metrics, time. */
export { TIMER_DELAY_MAX_MS, sleep, systemClock, within } from './clock';
export type { Clock, Timer, TimerOptions } from './clock';
export {
  CONFIG_BYTES_MAX,
  CONFIG_POLL_MS,
  createConfigWatch,
  describeProblems,
  loadConfig,
  loadConfigSync,
  readConfigFile,
  sessionConfigParser,
} from './config-file';
export type { ConfigReading, ConfigWatch, ConfigWatchDeps, LoadedConfig, ParseConfig, ParsedConfig } from './config-file';
export { TRAJECTORY_FLUSH_TIMEOUT_MS, readEnvironment, resolvePath } from './env';
export type { EnvironmentVariables, HostEnvironment } from './env';
export { createHealth } from './health';
export type { Health, HealthReport, PartHealth, PartState, Phase } from './health';
export { DRAIN_TIMEOUT_MS, STOP_TIMEOUT_MS, createHost } from './host';
export type { Host, HostDeps } from './host';
export { createKeyHasher, toLoggedError } from './log-fields';
export type { LogFields, LoggedError } from './log-fields';
export { LOG_LEVELS, createLogger, silentLogger } from './logger';
export type { LogLevel, Logger, LoggerOptions } from './logger';
export { createMetrics } from './metrics';
export type { Metrics, MetricsOptions } from './metrics';
export { createMinimalConfig } from './minimal-config';
export type { MinimalConfig } from './minimal-config';
export { REPEATED_SIGNAL_MS, runUntilSignal } from './run-until-signal';
export type { LifeDeps, SignalSource } from './run-until-signal';
export type { Service } from './service';
