/**
 * What archives and their manifest promise (I9): a transcript has one name, an archive has the bytes
 * that the manifest says, and nothing that was set aside is missing.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { isStagedName } from '../../archive/stage-transcript';
import { parseManifestLine, type ArchivedFile } from '../../archive/manifest';
import type { StoreLayout } from '../../files/layout';
import type { Violation } from './check-transcripts';
import type { DumpedTranscript } from './store-dump';
import { sessionIdOf } from './outcomes';

const ARCHIVE = /\.(?:reset|deleted|bak)\./;

/**
 * @param dumped live ones and archives.
 * @param afterTakeOver an owner was stopped, and woke up, with a link to make: a second name of a file,
 *   that has its own is no loss.
 */
export function checkArchives(layout: StoreLayout, dumped: readonly DumpedTranscript[], afterTakeOver = false): Violation[] {
  const violations: Violation[] = [];
  const wrong = (message: string): void => {
    violations.push({ invariant: 'I9', message });
  };
  const expected = expectedArchives(layout, wrong);
  const transcripts = afterTakeOver ? dumped.filter(({ name }) => !isSecondName(layout, name, expected, dumped)) : dumped;
  for (const { to, bytes, sha256 } of expected.values()) {
    const found = transcripts.find(({ name }) => name === to);
    if (found === undefined) wrong(`the manifest names ${to}, which is not there`);
    else if (found.bytes.length !== bytes || createHash('sha256').update(found.bytes).digest('hex') !== sha256) wrong(`${to} has other bytes than were set aside`);
  }
  for (const { name } of transcripts) if (ARCHIVE.test(name) && !expected.has(name)) wrong(`no line of the manifest names ${name}`);
  const homes = new Map<string, string>();
  for (const { name } of transcripts) {
    if (name.includes('.bak.') || (afterTakeOver && isLateWrite(layout, name, expected))) continue;
    const other = homes.get(sessionIdOf(name));
    if (other !== undefined) wrong(`${name} and ${other} are one transcript`);
    homes.set(sessionIdOf(name), name);
  }
  for (const name of fs.readdirSync(layout.ownDir)) if (isStagedName(name)) wrong(`${path.join(layout.ownDir, name)} is left over`);
  return violations;
}

function isSecondName({ dir }: StoreLayout, name: string, expected: ReadonlyMap<string, ArchivedFile>, all: readonly DumpedTranscript[]): boolean {
  if (expected.has(name)) return false;
  const inodeOf = (file: string): number => fs.statSync(path.join(dir, file)).ino;
  return all.some((other) => other.name !== name && inodeOf(other.name) === inodeOf(name));
}

/** A file that a woken owner made anew, of a transcript that is in its archive whole: no entry has it, it is an orphan. */
function isLateWrite({ sessionsFile }: StoreLayout, name: string, expected: ReadonlyMap<string, ArchivedFile>): boolean {
  if (ARCHIVE.test(name) || ![...expected.values()].some(({ from }) => from === name)) return false;
  return !fs.readFileSync(sessionsFile, 'utf8').includes(sessionIdOf(name));
}

function expectedArchives(layout: StoreLayout, wrong: (message: string) => void): Map<string, ArchivedFile> {
  const expected = new Map<string, ArchivedFile>();
  if (!fs.existsSync(layout.manifestFile)) return expected;
  const text = fs.readFileSync(layout.manifestFile, 'utf8');
  if (text !== '' && !text.endsWith('\n')) wrong('the manifest ends in an unfinished line');
  for (const line of text.split('\n').slice(0, -1)) {
    const read = parseManifestLine(line);
    if (read === undefined) wrong(`a line of the manifest cannot be read: ${line.slice(0, 80)}`);
    for (const file of read?.files ?? []) expected.set(file.to, file);
    for (const name of read?.gone ?? []) expected.delete(name);
  }
  return expected;
}
