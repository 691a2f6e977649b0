import { CONFIG_BYTES_MAX, type ParseConfig, createConfigWatch, loadConfig, readConfigFile, sessionConfigParser } from './config-file';
import { createManualClock } from './manual-clock';
import type { ConfigProblem } from '@sessions/domain';
import { chmod, mkdir, mkdtemp, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

interface Port {
  readonly port: number;
}

/** A small stand-in with both outcomes: `port` must be a number, other keys are warned about. */
const parse: ParseConfig<Port> = (raw) => {
  const { port = 1, ...rest } = (raw ?? {}) as Record<string, unknown>;
  if (typeof port !== 'number') return { ok: false, problems: [{ path: 'port', value: '?', message: 'expected a number' }] };
  return { ok: true, config: { port }, warnings: Object.keys(rest).map((name) => ({ path: name, value: '?', message: 'unknown' })) };
};

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'config-'));
  file = path.join(directory, 'openclaw.json');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('readConfigFile', () => {
  it('gives all defaults when there is no file', async () => {
    expect(await readConfigFile(file, parse)).toEqual({ ok: true, config: { port: 1 }, warnings: [], exists: false });
  });

  it('reads JSON5: comments, unquoted keys, trailing commas', async () => {
    await writeFile(file, '// ours\n{ port: 2, extra: [1,], }');
    expect(await readConfigFile(file, parse)).toMatchObject({ ok: true, config: { port: 2 }, warnings: [{ path: 'extra' }], exists: true });
  });

  it('accepts a byte order mark', async () => {
    await writeFile(file, '\uFEFF{ "port": 3 }');
    expect(await readConfigFile(file, parse)).toMatchObject({ ok: true, config: { port: 3 } });
  });

  it('names line and column of a syntax error and quotes nothing of the file', async () => {
    await writeFile(file, '{\n  token: "secret",\n  port: }');
    const reading = await readConfigFile(file, parse);
    expect(reading).toMatchObject({ ok: false, problems: [{ message: expect.stringMatching(/line 3, column 9/) }] });
    expect(JSON.stringify(reading)).not.toContain('secret');
  });

  it.each([
    ['an empty file', ''],
    ['half a file', '{ port: 2'],
    ['NUL bytes', '\0\0\0\0'],
  ])('refuses %s', async (_name, text) => {
    await writeFile(file, text);
    expect(await readConfigFile(file, parse)).toMatchObject({ ok: false, exists: true });
  });

  it('refuses bytes that are not UTF-8', async () => {
    await writeFile(file, Buffer.from([0x7b, 0xff, 0xfe, 0x7d]));
    expect(await readConfigFile(file, parse)).toMatchObject({ ok: false, problems: [{ message: expect.stringContaining('UTF-8') }] });
  });

  it('refuses a directory in place of the file', async () => {
    await mkdir(file);
    expect(await readConfigFile(file, parse)).toMatchObject({ ok: false, problems: [{ message: expect.stringContaining('directory') }] });
  });

  it('refuses a file that is too large, without reading it', async () => {
    await writeFile(file, '{}');
    await truncate(file, CONFIG_BYTES_MAX + 1);
    expect(await readConfigFile(file, parse)).toMatchObject({ ok: false, problems: [{ message: expect.stringContaining('bytes') }] });
  });
});

describe('loadConfig', () => {
  it('throws every problem of a file that is refused', async () => {
    await writeFile(file, '{ port: "x" }');
    await expect(loadConfig(file, parse)).rejects.toMatchObject({
      reason: 'CONFIG_INVALID',
      message: expect.stringContaining('port = ?: expected a number'),
    });
  });
});

describe('sessionConfigParser', () => {
  it('gives the defaults of the session configuration when there is no file', async () => {
    const { config, exists } = await loadConfig(file, sessionConfigParser({}));
    expect(exists).toBe(false);
    expect(config.session.dmScope).toBe('main');
  });

  it('stops the start with every problem and its path, of the file and of the variables', async () => {
    await writeFile(file, '{ session: { dmScope: "sideways", maintenance: { maxEntries: -1 } } }');
    const loading = loadConfig(file, sessionConfigParser({ OPENCLAW_SESSION_WRITE_LOCK_STALE_MS: 'soon' }));
    await expect(loading).rejects.toThrow(/session\.dmScope/);
    await expect(loading).rejects.toThrow(/session\.maintenance\.maxEntries/);
    await expect(loading).rejects.toThrow(/OPENCLAW_SESSION_WRITE_LOCK_STALE_MS/);
  });

  it('names the file that is broken', async () => {
    await writeFile(file, '{ session: ');
    await expect(loadConfig(file, sessionConfigParser({}))).rejects.toThrow(`${file} is not valid JSON5 at line 1`);
  });
});

describe('createConfigWatch', () => {
  const open = async (): Promise<{
    clock: ReturnType<typeof createManualClock>;
    watch: ReturnType<typeof createConfigWatch<Port>>;
    changes: Port[];
    refusals: (readonly ConfigProblem[])[];
  }> => {
    const clock = createManualClock();
    const changes: Port[] = [];
    const refusals: (readonly ConfigProblem[])[] = [];
    const watch = createConfigWatch<Port>({
      file, parse, clock,
      initial: await loadConfig(file, parse),
      onChange: (config) => changes.push(config),
      onRefused: (problems) => refusals.push(problems),
      pollMs: 10,
    });
    return { clock, watch, changes, refusals };
  };

  it('puts a good edit in force, once', async () => {
    await writeFile(file, '{ port: 2 }');
    const { watch, changes } = await open();
    watch.start();
    await watch.look();
    expect(changes).toEqual([]);
    await writeFile(file, '{ port: 33 }');
    await watch.look();
    await watch.look();
    expect(changes).toEqual([{ port: 33 }]);
    expect(watch.config).toEqual({ port: 33 });
    await watch.stop();
  });

  it('notices an edit that was made between the first reading and the start', async () => {
    await writeFile(file, '{ port: 2 }');
    const { watch } = await open();
    await writeFile(file, '{ port: 44 }');
    watch.start();
    await watch.look();
    expect(watch.config).toEqual({ port: 44 });
    await watch.stop();
  });

  it('keeps the values in force after a bad edit, reports it once, and recovers when it is mended', async () => {
    await writeFile(file, '{ port: 2 }');
    const { watch, changes, refusals } = await open();
    watch.start();
    await writeFile(file, '{ port: "no" }');
    await watch.look();
    await watch.look();
    expect(watch.config).toEqual({ port: 2 });
    expect(watch.problems).toEqual([{ path: 'port', value: '?', message: 'expected a number' }]);
    expect(watch.file).toMatchObject({ exists: true, source: { port: 2 }, problems: watch.problems });
    expect(refusals).toHaveLength(1);
    await writeFile(file, '{ port: 5 }');
    await watch.look();
    expect(watch.problems).toEqual([]);
    expect(changes).toEqual([{ port: 5 }]);
    await watch.stop();
  });

  it('keeps the values in force when the file goes away, and does not fall back to defaults', async () => {
    await writeFile(file, '{ port: 2 }');
    const { watch, refusals } = await open();
    watch.start();
    await rm(file);
    await watch.look();
    expect(watch.config).toEqual({ port: 2 });
    expect(refusals).toEqual([[{ path: '(file)', value: file, message: expect.stringContaining('gone') }]]);
    await writeFile(file, '{ port: 2 }');
    await watch.look();
    expect(watch.problems).toEqual([]);
    await watch.stop();
  });

  it('notices a file of the same size and time that was put in its place', async () => {
    await writeFile(file, '{ port: 2 }');
    const { watch } = await open();
    watch.start();
    const other = path.join(directory, 'other');
    await writeFile(other, '{ port: 7 }');
    await utimes(other, 1, 1);
    await utimes(file, 1, 1);
    await watch.look();
    await rename(other, file);
    await watch.look();
    expect(watch.config).toEqual({ port: 7 });
    await watch.stop();
  });

  it('follows a symbolic link to the file that it points to', async () => {
    const real = path.join(directory, 'real.json');
    await writeFile(real, '{ port: 2 }');
    await symlink(real, file);
    const { watch } = await open();
    watch.start();
    await writeFile(real, '{ port: 88 }');
    await watch.look();
    expect(watch.config).toEqual({ port: 88 });
    await watch.stop();
  });

  it('looks by itself at every poll until it is stopped', async () => {
    await writeFile(file, '{ port: 2 }');
    const { watch, clock, changes } = await open();
    watch.start();
    await writeFile(file, '{ port: 66 }');
    for (let poll = 0; changes.length === 0 && poll < 2000; poll += 1) {
      await clock.advance(10);
      // The file is read by the thread pool, in real time.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(changes).toEqual([{ port: 66 }]);
    await watch.stop();
    expect(clock.pendingCount).toBe(0);
  });

  it('reports a file that can no longer be read', async () => {
    await writeFile(file, '{ port: 2 }');
    const { watch } = await open();
    watch.start();
    await rm(file);
    await mkdir(file);
    await chmod(file, 0o700);
    await watch.look();
    expect(watch.problems).toHaveLength(1);
    expect(watch.config).toEqual({ port: 2 });
    await watch.stop();
  });
});
