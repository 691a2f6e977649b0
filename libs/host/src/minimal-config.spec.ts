import { readConfigFile } from './config-file';
import { createMinimalConfig } from './minimal-config';
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'minimal-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o777;

describe('createMinimalConfig', () => {
  it('writes a readable configuration with its token, for its owner only', async () => {
    const file = path.join(directory, 'a', 'b', 'openclaw.json');
    const made = await createMinimalConfig(file);
    const reading = await readConfigFile(file, (raw) => ({ ok: true, config: raw, warnings: [] }));
    expect(made).toEqual({ created: true, token: expect.stringMatching(/^[0-9a-f]{48}$/) });
    expect(reading).toMatchObject({ ok: true, config: { gateway: { auth: { mode: 'token', token: made.created && made.token } } } });
    expect(await modeOf(file)).toBe(0o600);
    expect(await modeOf(path.dirname(file))).toBe(0o700);
  });

  it('names the echo as model where that is asked for', async () => {
    const file = path.join(directory, 'openclaw.json');
    await createMinimalConfig(file, { withEcho: true });
    expect(await readConfigFile(file, (raw) => ({ ok: true, config: raw, warnings: [] }))).toMatchObject({ config: { agents: { defaults: { model: 'demo/echo' } } } });
  });

  it('never overwrites, and leaves nothing beside the file', async () => {
    const file = path.join(directory, 'openclaw.json');
    await writeFile(file, 'mine');
    expect(await createMinimalConfig(file)).toEqual({ created: false });
    expect(await readFile(file, 'utf8')).toBe('mine');
    expect(await readdir(directory)).toEqual(['openclaw.json']);
  });

  it('makes one configuration when several processes start at once', async () => {
    const file = path.join(directory, 'openclaw.json');
    const made = await Promise.all(Array.from({ length: 8 }, () => createMinimalConfig(file)));
    const winners = made.filter(({ created }) => created);
    expect(winners).toHaveLength(1);
    expect(await readFile(file, 'utf8')).toContain((winners[0] as { token: string }).token);
    expect(await readdir(directory)).toEqual(['openclaw.json']);
  });

  it('says which directory cannot be written', async () => {
    const blocked = path.join(directory, 'file');
    await writeFile(blocked, '');
    await expect(createMinimalConfig(path.join(blocked, 'openclaw.json'))).rejects.toMatchObject({
      reason: 'READ_ONLY',
      message: expect.stringContaining(blocked),
    });
  });
});
