import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const MODULE = pathToFileURL(path.join(__dirname, 'node-image.mjs')).href;

describe('the base image', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(path.join(tmpdir(), 'node-image-'))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  /** A docker that writes down what it was asked, and whose image is as told. */
  function fakeDocker({ hasHeaders, version, canRun = true }: { hasHeaders: boolean; version: string; canRun?: boolean }): void {
    const script = [
      '#!/bin/sh',
      `echo "$*" >> ${directory}/asked`,
      `case "$1" in build) cat > ${directory}/dockerfile; exit 0;; esac`,
      canRun ? '' : 'echo "no such image" >&2; exit 125',
      `case "$*" in *"--entrypoint test"*) exit ${hasHeaders ? 0 : 1};; *) echo ${version};; esac`,
    ];
    writeFileSync(path.join(directory, 'docker'), `${script.join('\n')}\n`);
    chmodSync(path.join(directory, 'docker'), 0o755);
  }
  function headersOf(version: string): string {
    const prefix = path.join(directory, 'prefix');
    const place = path.join(prefix, 'include', 'node');
    mkdirSync(place, { recursive: true });
    const [major, minor, patch] = version.split('.');
    writeFileSync(path.join(place, 'node.h'), '');
    writeFileSync(path.join(place, 'node_version.h'), `#define NODE_MAJOR_VERSION ${major}\n#define NODE_MINOR_VERSION ${minor}\n#define NODE_PATCH_VERSION ${patch}\n`);
    return prefix;
  }
  // jest cannot load ES modules: they are used in a process of their own.
  async function prepare(...prefixes: string[]): Promise<{ image?: string; note?: string; error?: string }> {
    const script = `import { prepareNodeImage } from ${JSON.stringify(MODULE)};
      try { console.log(JSON.stringify(prepareNodeImage('base:1', ${JSON.stringify(prefixes)}))); } catch (error) { console.log(JSON.stringify({ error: error.message })); }`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env: { ...process.env, PATH: `${directory}:${process.env['PATH'] ?? ''}` } });
    return JSON.parse(stdout) as { image?: string; note?: string; error?: string };
  }

  it('is taken as it is when it has headers', async () => {
    fakeDocker({ hasHeaders: true, version: 'v20.20.2' });
    expect(await prepare(headersOf('20.20.2'))).toEqual({ image: 'base:1' });
    expect(existsSync(path.join(directory, 'dockerfile'))).toBe(false);
  });

  it('gets those of this machine when they are of its version, under a name of its own', async () => {
    fakeDocker({ hasHeaders: false, version: 'v20.20.2' });
    const prefix = headersOf('20.20.2');
    expect(await prepare('/nonexistent', prefix)).toMatchObject({ image: 'openclaw-sessions-node:20.20.2-headers' });
    expect(readFileSync(path.join(directory, 'dockerfile'), 'utf8')).toBe('FROM base:1\nCOPY . /usr/local/include/node/\n');
    expect(readFileSync(path.join(directory, 'asked'), 'utf8')).toContain(`build --tag openclaw-sessions-node:20.20.2-headers --file - ${path.join(prefix, 'include', 'node')}`);
  });

  it('is left alone when they are of another version', async () => {
    fakeDocker({ hasHeaders: false, version: 'v20.20.2' });
    const { image, note } = await prepare(headersOf('20.20.1'));
    expect([image, note]).toEqual(['base:1', expect.stringContaining('none of v20.20.2')]);
  });

  it('is said to be missing when it cannot be run', async () => {
    fakeDocker({ hasHeaders: false, version: '', canRun: false });
    expect((await prepare()).error).toContain('the base image base:1 cannot be run:\nno such image');
  });
});
