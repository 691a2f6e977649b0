/** What --help teaches, one text a command. */
interface HelpText {
  readonly summary: string;
  readonly description: string;
  readonly examples: readonly string[];
}

const PERSISTED = `These rows are what is stored, not what is alive. For liveness ask
  openclaw channels status --probe    the channels
  openclaw status --deep              the gateway
  openclaw health --verbose           its parts`;

export const HELP = {
  program: {
    summary: '',
    description: 'Sessions of an AI-agent gateway: which conversation a message belongs to, kept durably, listed and served.',
    examples: ['openclaw gateway run', 'openclaw sessions --all-agents'],
  },
  sessions: {
    summary: 'list stored sessions, newest first; look into them and mend them',
    description: `Lists stored sessions, newest first, with model, tokens and settings. Needs no gateway and writes nothing.\n\n${PERSISTED}`,
    examples: ['openclaw sessions --active 60', 'openclaw sessions --all-agents --limit all --json'],
  },
  list: {
    summary: 'list stored sessions: key, messages, last activity',
    description: `Lists stored sessions, newest first: key, messages, last activity. With --json the same document as "openclaw sessions".\n\n${PERSISTED}`,
    examples: ['openclaw sessions list', 'openclaw sessions list --agent work --limit 25'],
  },
  history: {
    summary: 'print the messages of one session',
    description: 'Prints the newest messages of a session, oldest of them first. Takes a session key or a session id. Reads the files; needs no gateway.',
    examples: ['openclaw sessions history agent:main:main', 'openclaw sessions history agent:main:main --limit all --include-tools --json'],
  },
  search: {
    summary: 'find sessions by name, and messages by what was said',
    description:
      'Finds sessions by a piece of their label, name, key, id or model, and messages of users and assistants in which all words of the query stand. Words are taken literally; "words in quotes" stand next to each other, and release* stands for every word that begins so. Asks the gateway where one listens, else reads the files. Archives are not searched.',
    examples: ['openclaw sessions search "release plan"', 'openclaw sessions search deploy --in text --channel telegram --since 7d --json'],
  },
  info: {
    summary: 'show what is stored about one session',
    description: 'Shows the stored entry of a session, its files with sizes and counts, and its archives. Takes a session key or a session id.',
    examples: ['openclaw sessions info agent:main:main', 'openclaw sessions info agent:work:main --agent work --json'],
  },
  tail: {
    summary: 'show what sessions are doing, line by line',
    description: 'Shows the newest events of the trajectories of sessions, those that run first, without prompts, arguments or results. Reads the files; needs no gateway.',
    examples: ['openclaw sessions tail --follow', 'openclaw sessions tail --session-key agent:main:main --tail 20 --json'],
  },
  exportArchive: {
    summary: 'write a session, or all of an agent, into a portable archive',
    description: `Writes one session, or without a key every session of the agent, into a new tar archive: entries, transcripts, trajectories, with a SHA-256 of each file and each line.
It goes on elsewhere with "openclaw sessions import". Needs no gateway and changes nothing. What was set aside earlier stays where it is.`,
    examples: ['openclaw sessions export agent:main:main --output main.tar', 'openclaw sessions export --agent work --json'],
  },
  importArchive: {
    summary: 'bring in the sessions of a portable archive',
    description: `Compares every hash of the archive, then brings its sessions in, each whole or not at all. Nothing is overwritten: a key or id that is taken is an error, or takes --as.
Goes to a running gateway, else works on the files. An import that broke off is finished by repeating it.`,
    examples: ['openclaw sessions import main.tar --dry-run', 'openclaw sessions import main.tar --as agent:work:dashboard:from-main'],
  },
  exportTrajectory: {
    summary: 'write a bundle of one session for debugging',
    description: 'Writes the active branch and the trajectory of a session into <workspace>/.openclaw/trajectory-exports/<name>. Known credentials and places are redacted; prompts and tool results are in it. Reads the files; needs no gateway.',
    examples: ['openclaw sessions export-trajectory --session-key agent:main:main', 'openclaw sessions export-trajectory --session-key agent:main:main --output bug-123 --json'],
  },
  compact: {
    summary: 'summarise a session, or cut it to its last lines',
    description: 'Asks the running gateway to summarise a session so that it fits the model\'s window, or, with --max-lines, to keep only its last lines; what is cut stays in an archive. An active run is ended first, if anything will be done.',
    examples: ['openclaw sessions compact agent:main:main', 'openclaw sessions compact agent:main:main --max-lines 200 --json'],
  },
  agent: {
    summary: 'say something to an agent and print its reply',
    description: 'Sends one message to an agent through the running gateway and prints the reply, on a terminal as it grows. Ctrl-C ends the run. Chat commands belong to chats; /compact is "openclaw sessions compact".',
    examples: ['openclaw agent --message "What is open?"', 'openclaw agent --session-key agent:work:main --message "Report" --deliver --channel telegram --reply-to 123'],
  },
  mcp: {
    summary: 'serve the session tools to an MCP client over stdio',
    description: 'Serves the session tools of a running gateway over stdin and stdout, for MCP clients that start their servers as programs. Clients that speak HTTP use http://<gateway>/mcp instead, with the token as bearer.',
    examples: ['openclaw mcp', 'openclaw mcp --url wss://gateway:18789 --token "$TOKEN" --session-key agent:work:main'],
  },
  verify: {
    summary: 'check that the files of a store agree',
    description: 'Compares sessions.json, index, journal, manifest and transcripts. Only reads, unless --repair is given; exit code 1 when something is wrong.',
    examples: ['openclaw sessions verify --all-agents', 'openclaw sessions verify --agent work --repair'],
  },
  cleanup: {
    summary: 'archive what maintenance would remove; preview with --dry-run',
    description: `Applies session.maintenance to stores: age, count, archives past retention, unreferenced files, disk budget. What goes becomes an archive and can be restored.
Under the mode "warn" only the --fix flags act; --enforce applies everything. Goes to a running gateway, else works on the files.
Run logs under cron/runs are not touched: cron.runLog.maxBytes and cron.runLog.keepLines govern those.`,
    examples: ['openclaw sessions cleanup --dry-run', 'openclaw sessions cleanup --all-agents --enforce --json', 'openclaw sessions cleanup --fix-missing'],
  },
  restore: {
    summary: 'bring back what a reset, deletion, clean-up or truncation set aside',
    description: 'Brings the newest archive of a session back, or the one named, byte for byte. What is live becomes an archive first. Takes a session key or the name of an archive.',
    examples: ['openclaw sessions restore --list', 'openclaw sessions restore agent:main:main', 'openclaw sessions restore agent:main:main --archive 2026-06-15T12-00-00.000Z'],
  },
  clear: {
    summary: 'begin a session anew, keeping its settings',
    description: 'Sets the history of a session aside and begins a new one under the same key; label, model and settings stay. The history can be restored.',
    examples: ['openclaw sessions clear agent:main:main', 'openclaw sessions clear agent:work:main --yes --json'],
  },
  delete: {
    summary: 'remove a session; its files become archives',
    description: 'Removes the row of a session; its transcript and trajectories become archives that can be restored. Main sessions are not deleted.',
    examples: ['openclaw sessions delete agent:main:telegram:direct:123', 'openclaw sessions delete agent:main:cron:report --yes --json'],
  },
  erase: {
    summary: 'erase a session, or a person, for good',
    description: `Takes one session, or all sessions of one person, out of everything that the stores keep: entries, transcripts, archives, index, journal, manifest and whatever else names it; then reads every byte again and gives a receipt. Nothing brings it back.
Takes a session key, or a peer as <channel>:<id>, <id> or a name of session.identityLinks. Shows first what it would take. Goes to a running gateway, else works on the files.`,
    examples: ['openclaw sessions erase agent:main:telegram:direct:123 --dry-run', 'openclaw sessions erase telegram:123 --yes --json'],
  },
  status: {
    summary: 'stores, recent sessions, warnings',
    description: 'Shows where the stores are, the newest sessions of each agent, and what needs attention.',
    examples: ['openclaw status', 'openclaw status --deep --json'],
  },
  gateway: {
    summary: 'run the gateway, or call one that runs',
    description: 'Runs the gateway, or calls a method of one that runs.',
    examples: ['openclaw gateway run --port 19000', "openclaw gateway call sessions.list --params '{\"limit\":5}'"],
  },
  gatewayRun: {
    summary: 'run every service in this process',
    description: 'Runs every service in this process on the configured state directory. SIGINT and SIGTERM finish the work in hand and end with exit code 0.',
    examples: ['openclaw gateway run --port 19000 --bind lan --token "$TOKEN"', 'openclaw gateway run --bus nats://127.0.0.1:4222'],
  },
  gatewaySetupBus: {
    summary: 'make what the services need on NATS, once',
    description: 'Makes the streams, consumers and the bucket of leases that services in separate processes bind to. Safe to repeat: what is there stays.',
    examples: ['openclaw gateway setup-bus --bus nats://127.0.0.1:4222', 'openclaw gateway setup-bus --bus nats://n1:4222,nats://n2:4222,nats://n3:4222 --replicas 3'],
  },
  gatewayCall: {
    summary: 'call one method of a running gateway',
    description: 'Calls one method over the WebSocket protocol, asking for no more rights than it needs, and prints the answer.',
    examples: ["openclaw gateway call sessions.list --params '{\"limit\":5}'", "openclaw gateway call sessions.describe --params '{\"key\":\"agent:main:main\"}' --json"],
  },
} as const satisfies Record<string, HelpText>;

/** The block of examples that ends a help text. */
export function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`;
}
