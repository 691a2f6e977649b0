/** How the manifest is cleared: lines about the subject leave, and those of others come to terms with what changed. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { cleansingOf, isJsonObject, patchRawObject, readRawMembers, type NameTest } from '@sessions/domain';
import { onOneLine, parseManifestLine, type ManifestLine } from '../archive/manifest';
import type { StoreLayout } from '../files/layout';
import type { Counts } from './counts';
import type { EraseSeeds } from './erasure-order';
import type { Needles } from './needles';
import { hashOf, replaceWith } from './rewrite-file';

interface ManifestWork {
  readonly about: NameTest;
  readonly needles: Needles;
  readonly seeds: EraseSeeds;
  readonly counts: Counts;
}

/** Lines about the subject leave; others keep their length in names, and the hashes of archives that were changed follow. */
export function clearManifest(layout: StoreLayout, file: string, { about, needles, seeds, counts }: ManifestWork): void {
  const full = path.join(layout.dir, file);
  const hashes = new Map(seeds.archives.map((name) => [name, hashOf(path.join(layout.dir, name))] as const));
  const own = new Set(seeds.files);
  let changed = 0;
  const kept = fs
    .readFileSync(full, 'utf8')
    .split('\n')
    .flatMap((text) => {
      const line = parseManifestLine(text);
      if (line !== undefined && isLineAbout(line, about, own)) {
        changed += 1;
        return [];
      }
      const clean = withoutNames(text, line, about);
      const bytes = Buffer.from(clean, 'utf8');
      changed += needles.overwriteIn(bytes) + (clean === text ? 0 : 1);
      return [withHashes(bytes.toString('utf8'), line, hashes)];
    });
  const after = Buffer.from(kept.join('\n'), 'utf8');
  if (!after.equals(fs.readFileSync(full))) replaceWith(full, (out) => fs.writeSync(out, after));
  counts.add('manifest', { records: changed });
}

function isLineAbout({ key, sessionId, files }: ManifestLine, about: NameTest, own: ReadonlySet<string>): boolean {
  // A key is judged as a key, and an id that somebody else is called by is none of theirs.
  return [key, sessionId].some((name) => name !== null && about(name, { isWord: true, member: 'sessionId' })) || files.some(({ from, to }) => own.has(from) || own.has(to));
}

/** The entry that an archive of another comes back with, without what names the subject; all else as it stood. */
function withoutNames(text: string, line: ManifestLine | undefined, about: NameTest): string {
  const patch = isJsonObject(line?.entry) ? cleansingOf(line.entry, about) : undefined;
  const entry = patch === undefined ? undefined : readRawMembers(text).findLast(({ name }) => name === 'entry');
  if (patch === undefined || entry === undefined) return text;
  return onOneLine(patchRawObject(text, { setRaw: new Map([['entry', patchRawObject(text.slice(entry.valueStart, entry.valueEnd), patch)]]) }));
}

function withHashes(text: string, line: ManifestLine | undefined, hashes: ReadonlyMap<string, string | undefined>): string {
  let result = text;
  for (const { to, sha256 } of line?.files ?? []) {
    const hash = hashes.get(to);
    if (hash !== undefined && hash !== sha256 && sha256 !== '') result = result.replace(`"sha256":"${sha256}"`, () => `"sha256":"${hash}"`);
  }
  return result;
}
