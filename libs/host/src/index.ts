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
export type { ConfigFileState, ConfigReading, ConfigWatch, ConfigWatchDeps, LoadedConfig, ParseConfig, ParsedConfig } from './config-file';
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
export { makeDirectory } from './make-directory';
export { createMinimalConfig } from './minimal-config';
export type { MinimalConfig } from './minimal-config';
export { REPEATED_SIGNAL_MS, runUntilSignal } from './run-until-signal';
export type { LifeDeps, SignalSource } from './run-until-signal';
export type { Service } from './service';
export { CONNECT_TIMEOUT_MS, appHelp, readAppEnvironment } from './app-environment';
export type { AppEnvironment, AppHelp, AppVariable } from './app-environment';
export { BUS_DOWN_AFTER_MS, createBusReports } from './bus-reports';
export type { BusReportFacts, BusReports, BusReportsDeps } from './bus-reports';
export { createGrpcHealth } from './grpc-health';
export type { GrpcHealth, GrpcHealthDeps } from './grpc-health';
export { readGrpcTls, readGrpcTlsOf } from './grpc-tls';
export type { GrpcTlsTexts } from './grpc-tls';
export { assertLogin, isLoopback, isOpenToAll, listenFailure, parseBind } from './listen-address';
export type { SharedSecrets } from './listen-address';
export { createModelPrices } from './model-prices';
export type { ModelPrices, ModelPricesDeps } from './model-prices';
export { PROBE_CONNECTIONS_MAX, PROBE_TIMEOUT_MS, createProbes, notReadyBecause } from './probes';
export type { Probes, ProbesDeps } from './probes';
export { createBusLink, shownServers } from './bus-link';
export type { AppBus, BusConnection, BusEnvironment, BusLink, ConnectBus } from './bus-link';
export { runApp, runAppHere } from './run-app';
export type { AppDefinition, AppParts, AppProcess } from './run-app';
export { isTracingConfigured, startTracing } from './tracing';
export type { CallSpan, CallTracer, TraceContext, Tracing, TracingOptions } from './tracing';
export { WATCHDOG_MS, startWatchdog } from './watchdog';
export type { Watchdog, WatchdogOptions } from './watchdog';
export { createJobMetrics } from './job-metrics';
export type { EndedJob, JobMetrics } from './job-metrics';
export { greetingLines } from './greeting';
export type { Greeting } from './greeting';
