/**
 * What `sessions verify` can find, which of it is wrong, and what mends it. Pure.
 *
 * Repair deletes nothing: it rebuilds what is derived, cuts half-written tails after keeping their
 * bytes, and moves what cannot be read into quarantine. All else is named for somebody to decide.
 */

/** What mends a finding; only the first four are done by `sessions verify --repair`. */
export type Repair =
  /** The file's bytes go to quarantine; nothing else holds them. */
  | 'quarantine'
  /** `sessions.json` is written again from the index, or from transcripts and manifest. */
  | 'restore-sessions-file'
  /** The index is made again from `sessions.json`, journal and transcripts. */
  | 'rebuild-index'
  /** Bytes after the last newline go to quarantine, then the transcript ends at its last line. */
  | 'cut-torn-tail'
  /** `sessions cleanup --fix-missing` offers it. */
  | 'fix-missing'
  /** Maintenance archives or removes it in its time. */
  | 'cleanup'
  /** Somebody has to look. */
  | 'manual'
  /** Nothing needs to be done. */
  | 'none';

interface FindingRule {
  /** True when something promised does not hold; false for notices, which leave the store `ok`. */
  readonly wrong: boolean;
  readonly repair: Repair;
}

const rule = (wrong: boolean, repair: Repair): FindingRule => ({ wrong, repair });

export const FINDING_RULES = {
  'sessions-file-missing': rule(true, 'restore-sessions-file'),
  'sessions-file-empty': rule(true, 'restore-sessions-file'),
  'sessions-file-unreadable': rule(true, 'restore-sessions-file'),
  /** Edited from outside since the last checkpoint; the owner merges it. */
  'sessions-file-changed': rule(false, 'none'),
  'duplicate-key': rule(true, 'restore-sessions-file'),
  'alias-keys': rule(true, 'manual'),
  'entry-invalid': rule(true, 'fix-missing'),
  'unsafe-session-id': rule(true, 'manual'),
  'unsafe-session-file': rule(true, 'fix-missing'),
  /** The recorded file is not there, the canonical one is. */
  'wrong-session-file': rule(true, 'fix-missing'),
  'index-missing': rule(false, 'rebuild-index'),
  'index-outdated': rule(false, 'rebuild-index'),
  /** A change of it was cut short; whoever writes next takes that back. */
  'index-unfinished': rule(false, 'none'),
  'index-unreadable': rule(true, 'rebuild-index'),
  'index-entry-differs': rule(true, 'rebuild-index'),
  'index-entry-missing': rule(true, 'rebuild-index'),
  'index-entry-extra': rule(true, 'rebuild-index'),
  'index-transcript-differs': rule(true, 'rebuild-index'),
  'journal-damaged': rule(true, 'manual'),
  'transcript-missing': rule(true, 'fix-missing'),
  /** No file yet, and nothing says that there ever was one. */
  'transcript-not-begun': rule(false, 'none'),
  'transcript-without-messages': rule(false, 'fix-missing'),
  'transcript-unreadable': rule(true, 'manual'),
  'malformed-lines': rule(true, 'none'),
  'torn-tail': rule(true, 'cut-torn-tail'),
  'broken-parents': rule(true, 'none'),
  'duplicate-line-ids': rule(true, 'none'),
  'unpaired-tool-calls': rule(false, 'none'),
  'header-names-other-session': rule(false, 'none'),
  'dead-lock': rule(false, 'none'),
  'lock-not-a-file': rule(true, 'manual'),
  'temp-file': rule(false, 'cleanup'),
  'orphan': rule(false, 'cleanup'),
  'unknown-name': rule(false, 'none'),
  'not-a-regular-file': rule(true, 'manual'),
  'manifest-malformed': rule(true, 'manual'),
  /** Sums pass over it; the line stays. */
  'usage-line-unreadable': rule(true, 'manual'),
  'archive-differs': rule(true, 'manual'),
  /** The manifest names it, and no line says that it has left. */
  'archive-missing': rule(true, 'manual'),
  /** Made by another program, or its line was lost: it is brought back by its name. */
  'archive-unlisted': rule(false, 'none'),
  /** A file was being set aside, brought back or replaced; the next start goes on with it. */
  'archive-unfinished': rule(false, 'none'),
} as const satisfies Record<string, FindingRule>;

export type FindingKind = keyof typeof FINDING_RULES;

export interface Finding {
  readonly kind: FindingKind;
  readonly key?: string;
  /** Relative to the store's directory where it lies inside. */
  readonly file?: string;
  /** One sentence, without any text of a conversation. */
  readonly detail: string;
  readonly repair: Repair;
}

/** Findings kept per store; more are only counted. */
export const FINDINGS_MAX = 1_000;

/** Collects findings in the order in which they are met. */
export class FindingList {
  readonly findings: Finding[] = [];
  #omittedCount = 0;
  #wrongCount = 0;

  add(kind: FindingKind, detail: string, where: { readonly key?: string; readonly file?: string } = {}): void {
    if (FINDING_RULES[kind].wrong) this.#wrongCount += 1;
    if (this.findings.length >= FINDINGS_MAX) {
      this.#omittedCount += 1;
      return;
    }
    const { key, file } = where;
    this.findings.push({ kind, ...(key === undefined ? {} : { key }), ...(file === undefined ? {} : { file }), detail, repair: FINDING_RULES[kind].repair });
  }

  /** Forgets everything: the look begins anew. */
  clear(): void {
    this.findings.length = 0;
    this.#omittedCount = 0;
    this.#wrongCount = 0;
  }

  get omittedCount(): number {
    return this.#omittedCount;
  }

  /** True when none of the findings is more than a notice. */
  get ok(): boolean {
    return this.#wrongCount === 0;
  }
}

export type RepairAction =
  | { readonly do: 'quarantine'; readonly file: string }
  | { readonly do: 'rebuild-index' }
  | { readonly do: 'restore-sessions-file' }
  | { readonly do: 'cut-torn-tail'; readonly file: string; readonly key?: string };

/**
 * What `--repair` does about these findings, each thing once, in an order in which every step finds
 * what it needs: unreadable bytes are safe first, tails are cut before the index reads the
 * transcripts, and the sessions file is written from the index at the end.
 */
export function planRepairs(findings: readonly Finding[]): RepairAction[] {
  const actions: RepairAction[] = [];
  const files = new Set<string>();
  for (const { kind, file } of findings) {
    if (kind !== 'sessions-file-unreadable' || file === undefined || files.has(file)) continue;
    files.add(file);
    actions.push({ do: 'quarantine', file });
  }
  for (const { repair, file, key } of findings) {
    if (repair !== 'cut-torn-tail' || file === undefined || files.has(file)) continue;
    files.add(file);
    actions.push({ do: 'cut-torn-tail', file, ...(key === undefined ? {} : { key }) });
  }
  if (findings.some(({ repair }) => repair === 'rebuild-index')) actions.push({ do: 'rebuild-index' });
  if (findings.some(({ repair }) => repair === 'restore-sessions-file')) actions.push({ do: 'restore-sessions-file' });
  return actions;
}
