/**
 * The command line's grammar and its help. Each command's code is loaded by its own action, so a
 * command costs its own start and no other's.
 */
import type { CliIo, ExitCode } from './cli-io';
import { EXIT } from './cli-io';
import { reportFailure } from './failure';
import { inheritFlags } from './flags/inherit-flags';
import { examples, HELP } from './help-texts';
import { toUsageError } from './usage-error';
import { Command, CommanderError } from 'commander';

/** Answers the exit code; throws to fail. */
export type RunCommand<Flags> = (io: CliIo, flags: Flags) => Promise<ExitCode>;

const load = {
  list: () => module.require('./commands/sessions-list') as typeof import('./commands/sessions-list'),
  history: () => module.require('./commands/sessions-history') as typeof import('./commands/sessions-history'),
  search: () => module.require('./commands/sessions-search') as typeof import('./commands/sessions-search'),
  info: () => module.require('./commands/sessions-info') as typeof import('./commands/sessions-info'),
  tail: () => module.require('./commands/sessions-tail') as typeof import('./commands/sessions-tail'),
  exportTrajectory: () => module.require('./commands/sessions-export-trajectory') as typeof import('./commands/sessions-export-trajectory'),
  exportArchive: () => module.require('./commands/sessions-export') as typeof import('./commands/sessions-export'),
  importArchive: () => module.require('./commands/sessions-import') as typeof import('./commands/sessions-import'),
  compact: () => module.require('./commands/sessions-compact') as typeof import('./commands/sessions-compact'),
  agent: () => module.require('./commands/agent') as typeof import('./commands/agent'),
  mcp: () => module.require('./commands/mcp') as typeof import('./commands/mcp'),
  verify: () => module.require('./commands/sessions-verify') as typeof import('./commands/sessions-verify'),
  cleanup: () => module.require('./commands/sessions-cleanup') as typeof import('./commands/sessions-cleanup'),
  restore: () => module.require('./commands/sessions-restore') as typeof import('./commands/sessions-restore'),
  clear: () => module.require('./commands/sessions-clear') as typeof import('./commands/sessions-clear'),
  erase: () => module.require('./commands/sessions-erase') as typeof import('./commands/sessions-erase'),
  status: () => module.require('./commands/status') as typeof import('./commands/status'),
  gatewayCall: () => module.require('./commands/gateway-call') as typeof import('./commands/gateway-call'),
  gatewaySetupBus: () => module.require('./commands/gateway-setup-bus') as typeof import('./commands/gateway-setup-bus'),
  gatewayRun: () => module.require('./commands/gateway-run') as typeof import('./commands/gateway-run'),
};

const withScope = (command: Command): Command =>
  command
    .option('--agent <id>', 'the agent whose store is read (default: the configured default agent)')
    .option('--store <path>', 'one sessions.json; relative, ~ and {agentId} work (default: the configured store)');

const withAllAgents = (command: Command): Command => command.option('--all-agents', 'every configured agent (default: off)');
const withJson = (command: Command): Command => command.option('--json', 'print one JSON document (default: off)');

const withGateway = (command: Command): Command =>
  command
    .option('--url <url>', 'address of the gateway; needs --token or --password beside it (default: OPENCLAW_GATEWAY_URL, gateway.remote.url under gateway.mode remote, or ws://127.0.0.1:<configured port>)')
    .option('--token <token>', 'shared token (default: configuration, then OPENCLAW_GATEWAY_TOKEN)')
    .option('--password <password>', 'shared password (default: configuration, then OPENCLAW_GATEWAY_PASSWORD)');

/** Hands the flags of a command to its code; the exit code goes out through `done`. */
type Done = (code: ExitCode) => void;

function addSessions(program: Command, io: CliIo, done: Done): void {
  const add = (parent: Command, name: string, text: { readonly summary: string; readonly description: string; readonly examples: readonly string[] }): Command =>
    parent.command(name).summary(text.summary).description(text.description).addHelpText('after', examples(text.examples)).option('--no-color', 'plain output (the default)');

  const withList = (command: Command): Command =>
    withJson(
      withAllAgents(withScope(command))
        .option('--active <minutes>', 'only sessions active within so many minutes (default: no filter)')
        .option('--limit <count>', 'rows at most, or "all" (default: 100)')
        .option('--verbose', 'say on stderr what is read (default: off)'),
    );

  const sessions = withList(add(program, 'sessions', HELP.sessions)).enablePositionalOptions();
  sessions.action(async () => done(await load.list().runSessionsList(io, { command: 'sessions', flags: sessions.opts() })));

  const list = withList(add(sessions, 'list', HELP.list));
  list.action(async () => done(await load.list().runSessionsList(io, { command: 'sessions list', flags: inheritFlags(list) })));

  const history = withJson(
    withScope(add(sessions, 'history <key>', HELP.history))
      .option('--limit <count>', 'messages at most, or "all" (default: 50)')
      .option('--before <position>', 'only messages before this one: a number, or the nextBefore of the last page (default: the end)')
      .option('--include-tools', 'tool results too (default: off)'),
  );
  history.action(async (key: string) => done(await load.history().runSessionsHistory(io, { ...inheritFlags(history), key })));

  const search = withJson(
    withAllAgents(withScope(add(sessions, 'search <query>', HELP.search)))
      .option('--in <where>', 'meta: names, keys, ids and models; text: what was said; all (default: all)')
      .option('--channel <name>', 'only sessions of this channel (default: all)')
      .option('--since <when>', 'not older than this: a date, a time, or a span as 7d (default: no bound)')
      .option('--until <when>', 'older than this, given alike (default: no bound)')
      .option('--limit <count>', 'hits of each kind at most, up to 100 (default: 20)'),
  );
  search.action(async (query: string) => done(await load.search().runSessionsSearch(io, { ...inheritFlags(search), query })));

  const info = withJson(withScope(add(sessions, 'info <key>', HELP.info)));
  info.action(async (key: string) => done(await load.info().runSessionsInfo(io, { ...inheritFlags(info), key })));

  const verify = withJson(withAllAgents(withScope(add(sessions, 'verify', HELP.verify)))).option('--repair', 'mend what can be mended; deletes nothing (default: off)');
  verify.action(async () => done(await load.verify().runSessionsVerify(io, inheritFlags(verify))));

  const cleanup = withJson(withAllAgents(withScope(add(sessions, 'cleanup', HELP.cleanup))))
    .option('--dry-run', 'show what would go, write nothing (default: off)')
    .option('--enforce', 'apply even when session.maintenance.mode is "warn" (default: off)')
    .option('--fix-missing', 'drop rows whose transcript is missing or empty (default: off)')
    .option('--fix-dm-scope', 'with session.dmScope "main", retire rows of single senders (default: off)')
    .option('--active-key <key>', 'a session that this run leaves alone (default: none)');
  cleanup.action(async () => done(await load.cleanup().runSessionsCleanup(io, inheritFlags(cleanup))));

  const restore = withJson(withScope(add(sessions, 'restore [key]', HELP.restore)))
    .option('--archive <name>', 'file name, session id or stamp of the archive (default: the newest)')
    .option('--list', 'show what can be restored (default: off)')
    .option('--dry-run', 'say what would be restored, write nothing (default: off)')
    .option('--yes', 'do not ask (default: ask on a terminal)');
  restore.action(async (key: string | undefined) => done(await load.restore().runSessionsRestore(io, { ...inheritFlags(restore), key })));

  const clear = withJson(withScope(add(sessions, 'clear <key>', HELP.clear))).option('--yes', 'do not ask (default: ask on a terminal)');
  clear.action(async (key: string) => done(await load.clear().runSessionsClear(io, { ...inheritFlags(clear), key })));

  const remove = withJson(withScope(add(sessions, 'delete <key>', HELP.delete))).option('--yes', 'do not ask (default: ask on a terminal)');
  remove.action(async (key: string) => done(await load.clear().runSessionsDelete(io, { ...inheritFlags(remove), key })));

  const erase = withJson(withScope(add(sessions, 'erase <subject>', HELP.erase)))
    .option('--peer', 'the word is a person, whatever it looks like (default: a key where it has the form of one)')
    .option('--dry-run', 'show what would be erased, write nothing (default: off)')
    .option('--yes', 'do not ask (default: ask on a terminal; elsewhere nothing is erased without it)');
  erase.action(async (subject: string) => done(await load.erase().runSessionsErase(io, { ...inheritFlags(erase), subject })));

  const tail = withJson(
    withAllAgents(
      withScope(
        add(sessions, 'tail', HELP.tail)
          .option('--session-key <key>', 'the session to show (default: all that run, else the newest)')
          .option('--tail <count>', 'events of before that are shown first; 0: none (default: 80)')
          .option('--follow', 'go on with what is appended, until interrupted (default: off)'),
      ),
    ),
  );
  tail.action(async () => done(await load.tail().runSessionsTail(io, inheritFlags(tail))));

  const exporting = withJson(
    withScope(
      add(sessions, 'export-trajectory', HELP.exportTrajectory)
        .option('--session-key <key>', 'the session to export (required, no default)')
        .option('--workspace <path>', 'directory that the export is written into (default: the agent\'s workspace)')
        .option('--output <name>', 'relative name of the export (default: openclaw-trajectory-<id>-<time>)')
        .option('--request-json-base64 <text>', 'the same as a JSON object in base64url, instead of flags (default: none)'),
    ),
  );
  exporting.action(async () => done(await load.exportTrajectory().runExportTrajectory(io, inheritFlags(exporting))));

  const exportArchive = withJson(withScope(add(sessions, 'export [key]', HELP.exportArchive))).option('--output <file>', 'the archive to write (default: openclaw-sessions-<agent or id>-<time>.tar in this directory)');
  exportArchive.action(async (key: string | undefined) => done(await load.exportArchive().runSessionsExport(io, { ...inheritFlags(exportArchive), key })));

  const importArchive = withJson(withScope(add(sessions, 'import <archive>', HELP.importArchive)))
    .option('--as <key>', 'key of the session here, for an archive of one (default: the key it had)')
    .option('--dry-run', 'compare and say what would be imported, write nothing (default: off)');
  importArchive.action(async (archive: string) => done(await load.importArchive().runSessionsImport(io, { ...inheritFlags(importArchive), archive })));

  const compact = withJson(
    withGateway(
      add(sessions, 'compact <key>', HELP.compact)
        .option('--max-lines <count>', 'keep so many last lines instead of summarising (default: summarise)')
        .option('--agent <id>', 'the agent that owns the session; required for the key "global" (default: the key\'s)')
        .option('--timeout <ms>', 'longest wait for the answer (default: 180000)'),
    ),
  );
  compact.action(async (key: string) => done(await load.compact().runSessionsCompact(io, { ...inheritFlags(compact), key })));

  const agent = withJson(
    withGateway(
      add(program, 'agent', HELP.agent)
        .option('-m, --message <text>', 'what to say (required, no default)')
        .option('--agent <id>', 'the agent to speak to (default: the configured default agent)')
        .option('--session-key <key>', 'the session to speak in (default: the main session)')
        .option('--session-id <id>', 'the same by its id (default: none)')
        .option('-t, --to <address>', 'the peer whose session it is (default: none)')
        .option('--model <name>', 'model for this turn, provider/model or a name (default: the session\'s)')
        .option('--thinking <level>', 'how much the model thinks (default: the session\'s)')
        .option('--deliver', 'send the reply to a channel too (default: off)')
        .option('--channel <channel>', 'with --deliver: the channel (default: where the session was last spoken to from)')
        .option('--reply-to <address>', 'with --deliver: the address (default: where the session was last spoken to from)')
        .option('--reply-channel <channel>', 'with --deliver: the channel, other than --channel (default: --channel)')
        .option('--reply-account <id>', 'with --deliver: which login of the channel (default: the session\'s)')
        .option('--local', 'run the turn in this process; not supported (default: off)')
        .option('--timeout <seconds>', 'longest time for the turn (default: 600)'),
    ),
  );
  agent.action(async () => done(await load.agent().runAgent(io, agent.opts())));

  const mcp = withGateway(add(program, 'mcp', HELP.mcp)).option('--session-key <key>', 'the session that the client acts for (default: the main session of the default agent)');
  mcp.action(async () => done(await load.mcp().runMcp(io, mcp.opts())));

  const status = withJson(add(program, 'status', HELP.status))
    .option('--all', 'every session instead of the newest ten (default: off)')
    .option('--deep', 'ask the running gateway how it is (default: off)')
    .option('--usage', 'token sums of each agent (default: off)')
    .option('--verbose', 'say on stderr what is read (default: off)')
    .option('--timeout <ms>', 'longest wait for the gateway (default: 3000)');
  status.action(async () => done(await load.status().runStatus(io, status.opts())));

  const gateway = add(program, 'gateway', HELP.gateway).enablePositionalOptions();
  const run = withJson(add(gateway, 'run', HELP.gatewayRun))
    .option('--port <port>', 'port to listen on (default: configuration, 18789)')
    .option('--bind <where>', 'loopback, lan or an address; all but loopback need a token or password (default: configuration, loopback)')
    .option('--token <token>', 'shared token (default: configuration, then OPENCLAW_GATEWAY_TOKEN)')
    .option('--password <password>', 'shared password (default: configuration, then OPENCLAW_GATEWAY_PASSWORD)')
    .option('--grpc-port <port>', 'serve gRPC on this port too (default: SESS_GRPC_PORT, else not served)')
    .option('--bus <url>', 'join a system over NATS, nats://host:4222, or inproc to be alone (default: SESS_NATS_URL, then bus.transport of the configuration, inproc)');
  run.action(async () => done(await load.gatewayRun().runGatewayRun(io, run.opts())));

  const setupBus = withJson(add(gateway, 'setup-bus', HELP.gatewaySetupBus))
    .option('--bus <url>', 'addresses of NATS, with a user that may make streams (default: SESS_NATS_URL, nats://127.0.0.1:4222)')
    .option('--replicas <count>', 'servers of a cluster that keep a copy: 1, 3 or 5 (default: 1)');
  setupBus.action(async () => done(await load.gatewaySetupBus().runGatewaySetupBus(io, setupBus.opts())));

  const call = withJson(withGateway(add(gateway, 'call <method>', HELP.gatewayCall)))
    .option('--params <json>', 'parameters, a JSON object (default: {})')
    .option('--timeout <ms>', 'longest wait for the answer (default: 10000)')
    .option('--expect-final', 'wait for the last answer of a method that first says accepted (default: off)');
  call.action(async (method: string) => done(await load.gatewayCall().runGatewayCall(io, { ...call.opts(), method })));
}

function eachCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) eachCommand(child, visit);
}

/** True when `--json` stands among the words before `--`. */
const asksForJson = (argv: readonly string[]): boolean => {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json');
};

/** Runs one command line, without the program's own name, to its exit code. */
export async function runProgram(argv: readonly string[], io: CliIo, version: string): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.ok;
  const program = new Command('openclaw')
    .description(HELP.program.description)
    .addHelpText('after', examples(HELP.program.examples))
    .option('--no-color', 'plain output (the default)')
    .version(version, '-V, --version', 'print the version')
    .enablePositionalOptions();
  addSessions(program, io, (code) => (exitCode = code));
  eachCommand(program, (command) =>
    command
      .exitOverride()
      .allowExcessArguments(false)
      .showSuggestionAfterError(true)
      .helpOption('-h, --help', 'show this help')
      .configureOutput({ writeOut: (text) => io.out(text), writeErr: () => undefined, getOutHelpWidth: () => io.columns() ?? 100 }),
  );
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    return reportFailure(io, error instanceof CommanderError ? toUsageError(error, program, argv) : error, asksForJson(argv));
  }
}
