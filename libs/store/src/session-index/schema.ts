/**
 * Tables of the session index (`.store/index.sqlite`), the disposable copy of `sessions.json` that
 * answers queries. Everything in it can be rebuilt from `sessions.json`, the journal and the
 * transcripts; `docs/formats/session-index.md` describes it for other readers.
 */

/** Grows with every change of the tables, or of the rules by which a column is made; an index of another format is rebuilt. */
export const INDEX_FORMAT = 6;

/** Rows of a list are stored ready-made, so a wide page keeps one entry of 2 KB from filling it. */
export const PAGE_BYTES = 8192;

/** Pieces of the index of words that are merged into one: half as much is written as with four, and none waits for sixteen of them. */
const TEXT_AUTOMERGE = 8;

/**
 * `entry.json` holds the exact bytes of the value as they stand in `sessions.json`, indentation
 * included, so a checkpoint copies them. `id` order is the file's key order. `session.row` is an
 * encoded SessionRow; NULL (and `search` empty) until the worker has come to it after an import, and
 * made from the entry by whoever needs it before. From `entry_bytes` to `removal_announced_at` stands
 * what a maintenance plan is made from (`MaintenanceFacts`), before what is long: a plan reads the rows' beginnings
 * and no entry. `base` remembers how an entry stood at the last checkpoint (NULL: it did not
 * exist) for each one changed since; it is the common ancestor when somebody edits the file by hand.
 * A generation of it begins with each snapshot and ends when that snapshot is the file on disk.
 * `text` knows which words a message has and not where in it they stand: whoever finds it reads the message.
 */
export const TABLES = `
  CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, json BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS session (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    visibility INTEGER NOT NULL,
    updated_at INTEGER,
    sort_at INTEGER NOT NULL,
    session_id TEXT,
    file TEXT,
    label TEXT,
    spawned_by TEXT,
    parent_key TEXT,
    status TEXT,
    open_work INTEGER NOT NULL DEFAULT 0,
    entry_bytes INTEGER NOT NULL DEFAULT 0,
    flags INTEGER NOT NULL DEFAULT 0,
    active_at INTEGER,
    other_ids TEXT,
    model TEXT,
    archive_at INTEGER,
    cleanup TEXT,
    removal_announced_at INTEGER,
    search TEXT NOT NULL,
    row BLOB
  );
  CREATE TABLE IF NOT EXISTS base (id INTEGER PRIMARY KEY, key TEXT NOT NULL, generation INTEGER NOT NULL, json BLOB);
  CREATE TABLE IF NOT EXISTS transcript (
    file TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    exchanges INTEGER NOT NULL,
    leaf_id TEXT,
    kind TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS result (
    key TEXT PRIMARY KEY,
    hash TEXT NOT NULL,
    json TEXT NOT NULL,
    keep_until INTEGER NOT NULL,
    seq INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS usage (
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    n INTEGER NOT NULL,
    at INTEGER NOT NULL,
    key TEXT NOT NULL,
    session_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    provider TEXT,
    model TEXT,
    input INTEGER NOT NULL,
    output INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    cost REAL,
    cost_input REAL,
    cost_output REAL,
    cost_cache_read REAL,
    cost_cache_write REAL,
    PRIMARY KEY (epoch, seq, n)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS text_file (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    file TEXT NOT NULL UNIQUE,
    inode INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    last_line INTEGER
  );
  CREATE TABLE IF NOT EXISTS text_line (
    id INTEGER PRIMARY KEY,
    file_id INTEGER NOT NULL,
    back INTEGER,
    offset INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    message_seq INTEGER NOT NULL,
    line INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS text_gone (file_id INTEGER PRIMARY KEY, last_line INTEGER NOT NULL);
  CREATE VIRTUAL TABLE IF NOT EXISTS text USING fts5 (words, content='', contentless_delete=1, detail='none', tokenize='ascii');
  INSERT INTO text (text, rank) VALUES ('automerge', ${TEXT_AUTOMERGE});
`;

/** An import makes it when it meets a key twice, else at its end. */
export const KEY_INDEX = 'CREATE UNIQUE INDEX IF NOT EXISTS session_key ON session (key);';

/** Made after a bulk import: building them last halves its time. */
export const INDEXES = `
  ${KEY_INDEX}
  CREATE INDEX IF NOT EXISTS session_newest ON session (visibility, sort_at DESC, id, updated_at);
  CREATE INDEX IF NOT EXISTS session_by_id ON session (session_id) WHERE session_id IS NOT NULL;
  CREATE INDEX IF NOT EXISTS session_by_file ON session (file) WHERE file IS NOT NULL;
  CREATE INDEX IF NOT EXISTS session_by_label ON session (label) WHERE label IS NOT NULL;
  CREATE INDEX IF NOT EXISTS session_by_spawner ON session (spawned_by) WHERE spawned_by IS NOT NULL;
  CREATE INDEX IF NOT EXISTS session_by_parent ON session (parent_key) WHERE parent_key IS NOT NULL;
  CREATE INDEX IF NOT EXISTS session_by_status ON session (status) WHERE status = 'running';
  CREATE INDEX IF NOT EXISTS session_open_work ON session (id) WHERE open_work = 1;
  CREATE INDEX IF NOT EXISTS session_announced ON session (id) WHERE removal_announced_at IS NOT NULL;
  CREATE INDEX IF NOT EXISTS session_archive_at ON session (archive_at) WHERE archive_at IS NOT NULL;
  CREATE UNIQUE INDEX IF NOT EXISTS base_key ON base (key, generation);
  CREATE INDEX IF NOT EXISTS result_seq ON result (seq);
  CREATE INDEX IF NOT EXISTS usage_newest ON usage (at);
  CREATE INDEX IF NOT EXISTS usage_by_key ON usage (key, at);
  CREATE INDEX IF NOT EXISTS usage_by_run ON usage (run_id);
  CREATE INDEX IF NOT EXISTS usage_by_session ON usage (session_id);
`;

export const DROP_INDEXES = `
  DROP INDEX IF EXISTS session_key;
  DROP INDEX IF EXISTS session_newest;
  DROP INDEX IF EXISTS session_by_id;
  DROP INDEX IF EXISTS session_by_file;
  DROP INDEX IF EXISTS session_by_label;
  DROP INDEX IF EXISTS session_by_spawner;
  DROP INDEX IF EXISTS session_by_parent;
  DROP INDEX IF EXISTS session_by_status;
  DROP INDEX IF EXISTS session_open_work;
  DROP INDEX IF EXISTS session_announced;
  DROP INDEX IF EXISTS session_archive_at;
`;

/** Which lists a row belongs to. */
export const VISIBILITY = {
  listed: 0,
  global: 1,
  unknown: 2,
  /** Run rows of cron jobs: hidden from the gateway's list, shown by the command line. */
  cronRun: 3,
  /** Kept verbatim, never listed: values that are no entries, unsafe session ids. */
  unlisted: 9,
} as const;

export type Visibility = (typeof VISIBILITY)[keyof typeof VISIBILITY];

/** Names in `meta`. */
export const META = {
  /** `1`: made from transcripts beside a sessions file that cannot be read; no owner goes on with it. */
  partial: 'partial',
  format: 'format',
  epoch: 'epoch',
  appliedSeq: 'applied_seq',
  checkpointSeq: 'checkpoint_seq',
  fileSize: 'file_size',
  fileMtimeNs: 'file_mtime_ns',
  fileInode: 'file_inode',
  /** The file that a checkpoint is about to put in the place of the sessions file: size, mtime and inode, and the ancestors it ends. */
  announcedFile: 'announced_file',
  announcedGeneration: 'announced_generation',
  lastCheckpointAtMs: 'last_checkpoint_at_ms',
  baseGeneration: 'base_generation',
  /** Present while rows of an import are still to be made: the id up to which they are. */
  rowsMadeId: 'rows_made_id',
  /** `1`: the usage ledger is to be read again from its file. */
  usageDue: 'usage_due',
  /** Present while transcripts of an index made anew are still to be read for their words: only entries below this id. */
  textsMadeId: 'texts_made_id',
  /** Set when the last owner closed in order: the index has the whole journal up to this sequence. */
  closedSeq: 'closed_seq',
  /** Where the look for results past their time goes on; '' or missing: at the first key. */
  expiredBehindKey: 'expired_behind_key',
  /** `count_<visibility>`: how many rows have that visibility. */
  countPrefix: 'count_',
} as const;
