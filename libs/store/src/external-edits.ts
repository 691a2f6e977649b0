/**
 * Notices that somebody else has changed `sessions.json` (size, modification time or inode differ
 * from what we know) and has the index merge it. Looked at before a mutation and before a list, at
 * most every CHECK_INTERVAL_MS.
 */
import { sameIdentity, type FileIdentity, type FileSystem } from './files/file-system';
import type { MergeReply } from './session-index/worker-protocol';

export const CHECK_INTERVAL_MS = 250;

/** Stands for a directory, link or device in the place of the sessions file. */
const NOT_A_FILE: FileIdentity = { size: -1, mtimeNs: 0n, inode: 0n };

export interface ExternalEditsOptions {
  readonly fs: FileSystem;
  readonly sessionsFile: string;
  readonly known: FileIdentity | undefined;
  /** Waits until the index has everything acknowledged, then merges. */
  readonly merge: () => Promise<MergeReply>;
  readonly onMerged: (reply: MergeReply) => void;
  /** Monotonic milliseconds. */
  readonly monotonicMs: () => number;
}

export class ExternalEdits {
  readonly #options: ExternalEditsOptions;
  #known: FileIdentity | undefined;
  #checkedAtMs: number;
  #checking: Promise<void> | undefined;
  /** Our own rename is under way: what stands there now is ours or the file we know. */
  #paused = false;

  constructor(options: ExternalEditsOptions) {
    this.#options = options;
    this.#known = options.known;
    this.#checkedAtMs = options.monotonicMs();
  }

  get known(): FileIdentity | undefined {
    return this.#known;
  }

  /** The file is ours from now on. */
  setKnown(identity: FileIdentity | undefined): void {
    this.#known = identity;
  }

  /** From now on no look begins, and the one under way is over: it would take what we put there for somebody else's. */
  async pause(): Promise<void> {
    this.#paused = true;
    await this.#checking?.catch(() => undefined);
  }

  resume(): void {
    this.#paused = false;
  }

  /** True when a look is due; callers that find it false need not await anything. */
  get due(): boolean {
    return !this.#paused && (this.#checking !== undefined || this.#options.monotonicMs() - this.#checkedAtMs >= CHECK_INTERVAL_MS);
  }

  /** Looks, and merges what it finds. Concurrent callers share one look. */
  async check(): Promise<void> {
    if (!this.due) return;
    this.#checking ??= this.#look().finally(() => {
      this.#checkedAtMs = this.#options.monotonicMs();
      this.#checking = undefined;
    });
    await this.#checking;
  }

  /** True while something that is no file stands in its place. */
  get blocked(): boolean {
    return this.#known === NOT_A_FILE;
  }

  /** Looks and merges now, whatever the time. */
  async lookNow(): Promise<void> {
    await this.#checking;
    await this.#look();
  }

  /** @returns true when the file is the one we know. */
  async isUnchanged(): Promise<boolean> {
    return sameIdentity(await this.#identify(), this.#known);
  }

  /** What stands there now, when it is not the file we know: its identity, undefined for no file. */
  async changedFile(): Promise<{ readonly identity: FileIdentity | undefined } | undefined> {
    if (this.#paused) return undefined;
    const identity = await this.#identify();
    return sameIdentity(identity, this.#known) ? undefined : { identity };
  }

  async #look(): Promise<void> {
    const found = await this.#identify();
    if (sameIdentity(found, this.#known)) return;
    const reply = await this.#options.merge();
    this.#known = found === NOT_A_FILE ? NOT_A_FILE : reply.identity;
    this.#options.onMerged(reply);
  }

  /** Something that is no file counts as "changed": the merge reports it. */
  async #identify(): Promise<FileIdentity | undefined> {
    try {
      return await this.#options.fs.identify(this.#options.sessionsFile);
    } catch {
      return NOT_A_FILE;
    }
  }
}
