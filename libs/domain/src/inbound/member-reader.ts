/** Reads an untrusted object member by member, names everything wrong with it, and what is not known. */
import { isJsonObject, type JsonObject } from '../json';

const CONTROL = /\p{Cc}/u;
const LONE_SURROGATE = /\p{Surrogate}/u;
const CONTROLS = /\p{Cc}+/gu;

/** Problems of one document. Values are never part of them: they are people's messages and ids. */
export class Problems {
  readonly texts: string[] = [];
  /** Problems that are only about size. */
  tooLargeCount = 0;

  add(path: string, message: string): void {
    this.texts.push(`${path}: ${message}`);
  }

  addTooLarge(path: string, message: string): void {
    this.tooLargeCount += 1;
    this.add(path, message);
  }
}

export class MemberReader {
  readonly #members: JsonObject;
  readonly #path: string;
  readonly #problems: Problems;
  readonly #read = new Set<string>();

  constructor(raw: unknown, path: string, problems: Problems) {
    this.#members = isJsonObject(raw) ? raw : {};
    this.#path = path;
    this.#problems = problems;
    if (!isJsonObject(raw)) problems.add(path === '' ? 'message' : path, 'must be an object');
  }

  pathOf(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }

  raw(name: string): unknown {
    this.#read.add(name);
    return Object.hasOwn(this.#members, name) ? this.#members[name] : undefined;
  }

  has(name: string): boolean {
    return this.raw(name) !== undefined;
  }

  problem(name: string, message: string): void {
    this.#problems.add(this.pathOf(name), message);
  }

  /** A string of 1 to `lengthMax` UTF-16 units without control characters. */
  string(name: string, lengthMax: number): string | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') this.problem(name, 'must be a string');
    else if (value.trim() === '') this.problem(name, 'must not be empty');
    else if (value.length > lengthMax) this.problem(name, `must have at most ${String(lengthMax)} characters`);
    else if (CONTROL.test(value)) this.problem(name, 'must not hold control characters');
    else if (LONE_SURROGATE.test(value)) this.problem(name, 'must not hold half of a character (a lone surrogate)');
    else return value;
    return undefined;
  }

  /**
   * A name that people chose, of at most `lengthMax` UTF-16 units. A message is not refused for
   * what is in a name: control characters become blanks, and an empty one counts as absent.
   */
  label(name: string, lengthMax: number): string | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') this.problem(name, 'must be a string');
    else if (value.length > lengthMax) this.problem(name, `must have at most ${String(lengthMax)} characters`);
    else return value.replace(CONTROLS, ' ').trim() || undefined;
    return undefined;
  }

  required(name: string, lengthMax: number): string {
    if (!this.has(name)) this.problem(name, 'is required');
    return this.string(name, lengthMax) ?? '';
  }

  word<const V extends readonly string[]>(name: string, values: V): V[number] | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    const known = values.find((candidate) => candidate === value);
    if (known === undefined) this.problem(name, `must be one of ${values.join(', ')}`);
    return known;
  }

  flag(name: string): boolean | undefined {
    const value = this.raw(name);
    if (value === undefined || typeof value === 'boolean') return value;
    this.problem(name, 'must be true or false');
    return undefined;
  }

  object(name: string): MemberReader | undefined {
    const value = this.raw(name);
    return value === undefined ? undefined : new MemberReader(value, this.pathOf(name), this.#problems);
  }

  /** Refuses every member that nobody read; call after the last read. */
  close(): void {
    for (const name of Object.keys(this.#members)) {
      if (!this.#read.has(name)) this.problem(name, 'is not a known member');
    }
  }
}
