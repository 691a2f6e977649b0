import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

// jest cannot load ES modules: they are used in a process of their own.
async function inModule(file: string, body: string): Promise<unknown> {
  const script = `import * as it from ${JSON.stringify(pathToFileURL(path.join(__dirname, file)).href)};\n${body}`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  return JSON.parse(stdout);
}

describe('nats-server for the split deployment', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(path.join(tmpdir(), 'split-spec-'))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));
  const find = (env: Record<string, string>): Promise<unknown> => inModule('nats-server.mjs', `console.log(JSON.stringify(it.findNatsServer(${JSON.stringify(env)}) ?? null));`);

  it('is taken from NATS_SERVER, then from the PATH', async () => {
    const program = path.join(directory, 'nats-server');
    writeFileSync(program, '#!/bin/sh\n');
    chmodSync(program, 0o755);
    expect(await find({ NATS_SERVER: program, PATH: '' })).toBe(program);
    expect(await find({ PATH: `/nonexistent:${directory}` })).toBe(program);
    expect(await find({ NATS_SERVER: path.join(directory, 'missing'), PATH: directory })).toBeNull();
  });

  it('is explained when it is not there, before anything is built', () => {
    const { status, stderr } = spawnSync(process.execPath, [path.join(__dirname, '..', 'start-split.mjs')], { encoding: 'utf8', env: { ...process.env, NATS_SERVER: '/nonexistent/nats-server' } });
    expect(status).toBe(1);
    expect(stderr).toBe('NATS_SERVER is /nonexistent/nats-server, which cannot be run.\n');
  });

  it('takes its flags strictly', () => {
    for (const flags of [['--port', 'x'], ['--writers', '0'], ['--routers', '17'], ['--bogus']]) {
      const { status, stderr } = spawnSync(process.execPath, [path.join(__dirname, '..', 'start-split.mjs'), ...flags], { encoding: 'utf8' });
      expect(status).toBe(1);
      expect(stderr).toContain(flags[0]);
    }
  });

  it('has a password, and a directory that goes with it', async () => {
    const facts = await inModule(
      'nats-server.mjs',
      `import { existsSync, readFileSync, statSync } from 'node:fs';
       const { args, url, remove } = it.prepareNats(4299);
       const text = readFileSync(args[1], 'utf8');
       const mode = (statSync(args[1]).mode & 0o777).toString(8);
       remove();
       console.log(JSON.stringify({ mode, url, text, isThere: existsSync(args[1]) }));`,
    );
    expect(facts).toMatchObject({ mode: '600', url: expect.stringMatching(/^nats:\/\/sessions:[0-9a-f]{48}@127\.0\.0\.1:4299$/u) as string, isThere: false });
    expect((facts as { text: string }).text).toContain('listen: "127.0.0.1:4299"');
  });
});

describe('the processes of the split deployment', () => {
  it('have their names before their lines, come back when they die, and end for good when told', async () => {
    const lines = (await inModule(
      'children.mjs',
      `const lines = [];
       const children = new it.Children((line) => lines.push(line));
       const wait = async (holds) => { while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10)); };
       children.start('dies-1', process.execPath, ['-e', 'console.log("hello " + process.pid); setTimeout(() => process.exit(3), 50)'], { env: {}, cwd: '/' });
       children.start('stays-1', process.execPath, ['-e', 'console.log("up"); process.on("SIGTERM", () => process.exit(0)); setInterval(() => {}, 1000)'], { env: {}, cwd: '/' });
       await wait(() => lines.filter((line) => line.includes('hello')).length === 2 && lines.some((line) => line.includes('up')));
       const clean = await children.end(['stays', 'dies'], 5000);
       const count = lines.length;
       await new Promise((resolve) => setTimeout(resolve, 1200));
       console.log(JSON.stringify([...lines.slice(0, count), { clean, later: lines.length - count }]));`,
    )) as unknown[];
    expect(lines).toContainEqual(expect.stringMatching(/^dies-1 +\| ended unexpectedly \(exit 3\); starting it again in 500 ms$/u));
    expect(lines).toContainEqual(expect.stringMatching(/^stays-1 +\| up$/u));
    expect(lines.at(-1)).toEqual({ clean: true, later: 0 });
  }, 30_000);
});
