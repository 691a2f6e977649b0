/** Reads a configuration object member by member, and notices what nobody read. */
import { isJsonObject, type JsonObject } from '../json';
import { OPTIONS, type OptionKey, type OptionValue } from './option-table';
import type { Option } from './options';

export interface ConfigProblem {
  /** Dotted path, or the name of an environment variable. */
  readonly path: string;
  /** The value as text, at most `VALUE_LENGTH_MAX` characters; never a secret. */
  readonly value: string;
  readonly message: string;
}

/** Longest value printed in a problem, in UTF-16 units. */
export const VALUE_LENGTH_MAX = 80;

/** What happens to members that no option reads: refused, kept with a warning, or not judged. */
export type UnknownMembers = 'refuse' | 'warn' | 'ignore';

/** Collects what is wrong, in the order of reading. */
export class Report {
  readonly problems: ConfigProblem[] = [];
  readonly warnings: ConfigProblem[] = [];
  readonly #sections: Section[] = [];

  refuse(path: string, value: unknown, message: string): void {
    this.problems.push({ path, value: printable(value), message });
  }

  warn(path: string, value: unknown, message: string): void {
    this.warnings.push({ path, value: printable(value), message });
  }

  open(raw: unknown, path: string, unknown: UnknownMembers, parent?: Section): Section {
    // Not the value: somebody may have put a secret where its section belongs.
    if (raw !== undefined && !isJsonObject(raw)) this.problems.push({ path: path === '' ? '(file)' : path, value: `(${kindOf(raw)})`, message: 'must be an object' });
    const section = new Section(this, isJsonObject(raw) ? raw : {}, path, unknown, parent);
    this.#sections.push(section);
    return section;
  }

  /** Judges the members that nobody read; call once, after the last read. */
  close(): void {
    for (const section of this.#sections) section.judgeUnread();
  }
}

/** A value as a problem shows it: contents of lists and objects could hold secrets and stay out. */
export function printable(value: unknown): string {
  if (Array.isArray(value)) return '[…]';
  if (typeof value === 'object' && value !== null) return '{…}';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX - 1)}…` : text;
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}

/** Sections that may be written as one string, and the member that string means. */
const SHORT_FORMS: Readonly<Record<string, string>> = { model: 'primary' };

function expand(name: string, raw: unknown): unknown {
  const member = Object.hasOwn(SHORT_FORMS, name) ? SHORT_FORMS[name] : undefined;
  return typeof raw === 'string' && member !== undefined ? { [member]: raw } : raw;
}

export class Section {
  readonly path: string;
  readonly #report: Report;
  readonly #members: JsonObject;
  readonly #unknown: UnknownMembers;
  /** Where a member that is absent here is looked for before its default applies. */
  readonly #parent: Section | undefined;
  readonly #read = new Set<string>();

  constructor(report: Report, members: JsonObject, path: string, unknown: UnknownMembers, parent?: Section) {
    this.#report = report;
    this.#members = members;
    this.path = path;
    this.#unknown = unknown;
    this.#parent = parent;
  }

  /** The names present, in file order. */
  get names(): readonly string[] {
    return Object.keys(this.#members);
  }

  pathOf(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }

  /** The raw member, marked as read; inherited members are not seen. */
  raw(name: string): unknown {
    this.#read.add(name);
    return Object.hasOwn(this.#members, name) ? this.#members[name] : undefined;
  }

  /** Reads the member that the last word of `key` names, as the table of options says. */
  take<K extends OptionKey>(key: K): OptionValue<K> {
    const option: Option<unknown> = OPTIONS[key];
    return this.#takeAs(key.slice(key.lastIndexOf('.') + 1), option) as OptionValue<K>;
  }

  #takeAs(name: string, option: Option<unknown>): unknown {
    const raw = this.raw(name);
    if (raw === undefined) return this.#parent === undefined ? option.fallback : this.#parent.#peek(name, option);
    const verdict = option.parse(raw);
    const value = option.secret === true ? '(hidden)' : raw;
    if (!verdict.ok) {
      this.#report.refuse(this.pathOf(name), value, verdict.message);
      return option.fallback;
    }
    if (verdict.note !== undefined) this.#report.warn(this.pathOf(name), value, verdict.note);
    return verdict.value;
  }

  /** Reads without reporting: what is wrong here has been reported where it stands. */
  #peek(name: string, option: Option<unknown>): unknown {
    const raw = Object.hasOwn(this.#members, name) ? this.#members[name] : undefined;
    const verdict = raw === undefined ? undefined : option.parse(raw);
    if (verdict?.ok === true) return verdict.value;
    return this.#parent === undefined || raw !== undefined ? option.fallback : this.#parent.#peek(name, option);
  }

  /** The section under `name`; an absent one is empty. */
  section(name: string, unknown: UnknownMembers = this.#unknown): Section {
    return this.#report.open(expand(name, this.raw(name)), this.pathOf(name), unknown, this.#parent?.child(name));
  }

  /** The section under `name` for inheritance only: it reports nothing. */
  child(name: string): Section {
    const raw = Object.hasOwn(this.#members, name) ? expand(name, this.#members[name]) : undefined;
    return new Section(this.#report, isJsonObject(raw) ? raw : {}, this.pathOf(name), 'ignore', this.#parent?.child(name));
  }

  /** The sections of a list of objects; what is no list is refused. */
  list(name: string, unknown: UnknownMembers, parent?: Section): readonly Section[] {
    const raw = this.raw(name);
    if (raw === undefined) return [];
    if (!Array.isArray(raw)) {
      this.#report.refuse(this.pathOf(name), raw, 'must be a list');
      return [];
    }
    return raw.map((item, index) => this.#report.open(item, `${this.pathOf(name)}[${String(index)}]`, unknown, parent));
  }

  refuse(name: string, message: string): void {
    this.#report.refuse(this.pathOf(name), this.raw(name), message);
  }

  warn(name: string, message: string): void {
    this.#report.warn(this.pathOf(name), this.raw(name), message);
  }

  /** A warning that shows `value` instead of what is written. */
  warnOf(name: string, value: string, message: string): void {
    this.#report.warn(this.pathOf(name), value, message);
  }

  judgeUnread(): void {
    if (this.#unknown === 'ignore') return;
    for (const name of this.names) {
      if (this.#read.has(name)) continue;
      const value = this.#members[name];
      if (this.#unknown === 'refuse') this.#report.refuse(this.pathOf(name), value, 'is not a known key');
      // An object in a section shared with the gateway is a section of its own, not ours to judge.
      else if (!isJsonObject(value)) this.#report.warn(this.pathOf(name), '(not shown)', 'is not a known key; it is kept and has no effect here');
    }
  }
}
