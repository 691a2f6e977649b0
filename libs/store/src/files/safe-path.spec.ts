import { execFileSync } from 'node:child_process';
import { constants, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isFileInside, isInside, openInside } from './safe-path';

describe('openInside', () => {
  let top: string;
  let root: string;
  let outside: string;

  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'safe-'));
    root = join(top, 'sessions');
    outside = join(top, 'outside');
    mkdirSync(join(root, 'transcripts'), { recursive: true });
    mkdirSync(outside);
    writeFileSync(join(root, 'a.jsonl'), 'inside');
    writeFileSync(join(root, 'transcripts', 'b.jsonl'), 'deeper');
    writeFileSync(join(outside, 'a.jsonl'), 'secret');
  });
  afterEach(() => rmSync(top, { recursive: true }));

  async function textOf(file: string, base = root): Promise<string | undefined> {
    const handle = await openInside(base, file);
    if (!handle) return undefined;
    try {
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  }

  it('opens regular files by relative and absolute path', async () => {
    expect(await textOf('a.jsonl')).toBe('inside');
    expect(await textOf(join(root, 'transcripts', 'b.jsonl'))).toBe('deeper');
    expect(await textOf('transcripts/../a.jsonl')).toBe('inside');
  });

  it('answers undefined for what does not exist', async () => {
    expect(await textOf('none.jsonl')).toBeUndefined();
    expect(await textOf('none/a.jsonl')).toBeUndefined();
    expect(await textOf('a.jsonl/x')).toBeUndefined();
    expect(await textOf('a.jsonl', join(top, 'no-such-root'))).toBeUndefined();
  });

  it('tells whether a file is there without opening it, as openInside would', async () => {
    expect(await isFileInside(root, 'a.jsonl')).toBe(true);
    expect(await isFileInside(root, 'transcripts/b.jsonl')).toBe(true);
    for (const file of ['none.jsonl', 'none/a.jsonl', 'a.jsonl/x']) expect(await isFileInside(root, file)).toBe(false);
    expect(await isFileInside(join(top, 'no-such-root'), 'a.jsonl')).toBe(false);
    symlinkSync(join(outside, 'a.jsonl'), join(root, 'link.jsonl'));
    symlinkSync(outside, join(root, 'out'));
    for (const file of ['link.jsonl', 'transcripts', 'out/a.jsonl', '../outside/a.jsonl']) {
      await expect(isFileInside(root, file)).rejects.toMatchObject({ name: 'SessionError' });
    }
  });

  it('works under a root that is itself reached by a link', async () => {
    symlinkSync(root, join(top, 'linked-root'));
    expect(await textOf('a.jsonl', join(top, 'linked-root'))).toBe('inside');
  });

  it.each(['../outside/a.jsonl', '/etc/passwd', '..', '.', '', 'transcripts/../../outside/a.jsonl', 'a\0b', 'x'.repeat(5000)])('refuses the path %j', async (file) => {
    await expect(openInside(root, file)).rejects.toMatchObject({ reason: 'VALIDATION' });
  });

  it('refuses a directory on the way that leads out', async () => {
    symlinkSync(outside, join(root, 'out'));
    await expect(openInside(root, 'out/a.jsonl')).rejects.toMatchObject({ reason: 'VALIDATION' });
    await expect(openInside(root, 'out/new.jsonl', { flags: constants.O_WRONLY | constants.O_CREAT })).rejects.toMatchObject({ reason: 'VALIDATION' });
    expect(readdirSync(outside)).toEqual(['a.jsonl']);
  });

  it('refuses a link, a directory and a FIFO in place of a file', async () => {
    symlinkSync(join(outside, 'a.jsonl'), join(root, 'link.jsonl'));
    symlinkSync('a.jsonl', join(root, 'inner-link.jsonl'));
    mkdirSync(join(root, 'directory.jsonl'));
    execFileSync('mkfifo', [join(root, 'fifo.jsonl')]);
    for (const name of ['link.jsonl', 'inner-link.jsonl', 'directory.jsonl', 'fifo.jsonl']) {
      await expect(openInside(root, name)).rejects.toMatchObject({ reason: 'DAMAGED', facts: { path: join(root, name) } });
    }
  });

  it('creates files that only the user can read', async () => {
    const handle = await openInside(root, 'new.jsonl', { flags: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL });
    await handle?.close();
    expect(statSync(join(root, 'new.jsonl')).mode & 0o777).toBe(0o600);
  });

  it('never reads or creates anything outside while a directory is swapped for a link', async () => {
    const place = join(root, 'swapped');
    const spare = join(root, 'spare');
    mkdirSync(spare);
    writeFileSync(join(spare, 'a.jsonl'), 'inside');
    let running = true;
    const swapper = (async () => {
      while (running) {
        renameSync(spare, place);
        await new Promise(setImmediate);
        renameSync(place, spare);
        symlinkSync(outside, place);
        await new Promise(setImmediate);
        unlinkSync(place);
      }
    })();
    const seen = new Set<string>();
    for (let turn = 0; turn < 3000; turn += 1) {
      try {
        seen.add((await textOf('swapped/a.jsonl')) ?? 'missing');
        const created = await openInside(root, 'swapped/made.jsonl', { flags: constants.O_WRONLY | constants.O_CREAT });
        await created?.close();
      } catch (error) {
        seen.add((error as { reason?: string }).reason ?? String(error));
      }
    }
    running = false;
    await swapper;
    expect(seen).toContain('inside');
    expect(seen).toContain('VALIDATION');
    expect([...seen].filter((what) => !['inside', 'missing', 'VALIDATION'].includes(what))).toEqual([]);
    expect(readdirSync(outside)).toEqual(['a.jsonl']);
    expect(existsSync(join(spare, 'made.jsonl'))).toBe(true);
  }, 60_000);

  it('leaves no descriptor open, whatever happens', async () => {
    symlinkSync('a.jsonl', join(root, 'link.jsonl'));
    const before = readdirSync('/proc/self/fd').length;
    for (const name of ['none', 'link.jsonl', 'transcripts', '../x']) await openInside(root, name).catch(() => undefined);
    await textOf('a.jsonl');
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
  });
});

describe('isInside', () => {
  it.each([
    ['/a', '/a/b', true],
    ['/a', '/a/..b', true],
    ['/a', '/a', false],
    ['/a', '/ab', false],
    ['/a/b', '/a', false],
    ['/', '/a', true],
  ])('of %s and %s is %s', (directory, file, expected) => {
    expect(isInside(directory, file)).toBe(expected);
  });
});
