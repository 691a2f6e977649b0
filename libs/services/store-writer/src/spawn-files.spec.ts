import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { defaultConfig } from '@sessions/domain';
import { dropSpawnFiles, relativeDirectory, sweepSpawnDrafts, writeSpawnFiles, type SpawnFile } from './spawn-files';

const ID = '0190aaaa-0000-7000-8000-000000000001';
const limits = defaultConfig().tools.spawnAttachments;
let workspace: string;
beforeEach(() => {
  workspace = mkdtempSync(path.join(tmpdir(), 'spawn-files-'));
});
afterEach(() => rmSync(workspace, { recursive: true, force: true }));

const file = (name: string, text: string): SpawnFile => ({ name, mimeType: 'text/plain', content: Buffer.from(text) });
const target = (): string => path.join(workspace, relativeDirectory(ID));

describe('files of a spawn', () => {
  it('are there with their manifest, readable by nobody else, and named in the receipt by the hash of what they hold', async () => {
    const written = await writeSpawnFiles({ workspace, id: ID }, [file('ä b.txt', 'hello'), file('.hidden', '')], limits);
    expect(written).toEqual([
      { name: 'ä b.txt', bytes: 5, sha256: createHash('sha256').update('hello').digest('hex') },
      { name: '.hidden', bytes: 0, sha256: createHash('sha256').update('').digest('hex') },
    ]);
    expect(readFileSync(path.join(target(), 'ä b.txt'), 'utf8')).toBe('hello');
    expect((JSON.parse(readFileSync(path.join(target(), '.manifest.json'), 'utf8')) as { files: unknown[] }).files).toHaveLength(2);
    expect(statSync(target()).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(target())) expect(statSync(path.join(target(), name)).mode & 0o777).toBe(0o600);
  });

  it('are swept where a spawn was cut off in the middle of writing them, and not while it may go on', async () => {
    await writeSpawnFiles({ workspace, id: ID }, [file('a', 'x')], limits);
    const beside = path.dirname(target());
    const drafts = ['0190aaaa-0000-7000-8000-000000000002.tmp', 'notes.tmp'].map((name) => path.join(beside, name));
    for (const draft of drafts) {
      mkdirSync(draft);
      writeFileSync(path.join(draft, 'f0'), 'secret');
    }
    await sweepSpawnDrafts(workspace, Date.now());
    expect(drafts.map((draft) => existsSync(draft))).toEqual([true, true]);
    await sweepSpawnDrafts(workspace, Date.now() + 60_000);
    expect(drafts.map((draft) => existsSync(draft))).toEqual([false, true]);
    expect(existsSync(target())).toBe(true);
    await expect(sweepSpawnDrafts(path.join(workspace, 'nowhere'), Date.now())).resolves.toBeUndefined();
  });

  it('are found when they are written again, and refused when they are others', async () => {
    const first = await writeSpawnFiles({ workspace, id: ID }, [file('a', 'x')], limits);
    expect(await writeSpawnFiles({ workspace, id: ID }, [file('a', 'x')], limits)).toEqual(first);
    await expect(writeSpawnFiles({ workspace, id: ID }, [file('a', 'y')], limits)).rejects.toMatchObject({ reason: 'IDEMPOTENCY_MISMATCH' });
  });

  it.each([
    ['too many', [file('a', ''), file('b', '')], { ...limits, maxFiles: 1 }],
    ['a large one', [file('a', ''), file('b', 'xy')], { ...limits, maxFileBytes: 1 }],
    ['too much in all', [file('a', 'x'), file('b', 'y')], { ...limits, maxTotalBytes: 1 }],
    ['one twice', [file('a', 'x'), file('a', 'y')], limits],
    ['a path', [file('a', 'x'), file('../b', 'y')], limits],
    ['the manifest', [file('.manifest.json', 'x')], limits],
    ['what is switched off', [file('a', 'x')], { ...limits, enabled: false }],
  ])('leave nothing when one may not be written: %s', async (_what, files, bounds) => {
    await expect(writeSpawnFiles({ workspace, id: ID }, files, bounds)).rejects.toMatchObject({ reason: 'VALIDATION' });
    expect(existsSync(path.join(workspace, '.openclaw'))).toBe(false);
  });

  it('are not written through a link, nor under a name that is no UUID', async () => {
    const elsewhere = path.join(workspace, 'elsewhere');
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, path.join(workspace, '.openclaw'));
    await expect(writeSpawnFiles({ workspace, id: ID }, [file('a', 'x')], limits)).rejects.toMatchObject({ reason: 'VALIDATION' });
    await expect(writeSpawnFiles({ workspace, id: '../x' }, [file('a', 'x')], limits)).rejects.toMatchObject({ reason: 'VALIDATION' });
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it('take the place of what a process left half-written, and can be removed', async () => {
    mkdirSync(`${target()}.tmp`, { recursive: true });
    await writeSpawnFiles({ workspace, id: ID }, [file('a', 'x')], limits);
    expect(readdirSync(path.dirname(target()))).toEqual([ID]);
    expect(await dropSpawnFiles({ workspace, id: ID })).toBe(true);
    expect(await dropSpawnFiles({ workspace, id: ID })).toBe(false);
    expect(existsSync(target())).toBe(false);
  });
});
