/** What the command asks a person at a terminal: a real one, with the built command behind it. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LAUNCHER, environmentOf, runCommand } from './support/command';
import { sessionsDir, useScene, writeFile } from './support/scene';

const scene = useScene();
const KEY = 'agent:main:telegram:direct:ann';
const SESSION_ID = '0190aaaa-0000-7000-8000-0000000000b1';

function stateOfOne(): string {
  const stateDir = scene.stateDir();
  const dir = sessionsDir(stateDir);
  writeFile(join(dir, 'sessions.json'), JSON.stringify({ [KEY]: { sessionId: SESSION_ID, updatedAt: 1_780_300_000_000 } }));
  writeFile(join(dir, `${SESSION_ID}.jsonl`), `${JSON.stringify({ type: 'session', version: 3, id: SESSION_ID, timestamp: '2026-06-01T00:00:00.000Z', cwd: '/' })}\n`);
  return stateDir;
}

/** The command at a terminal (of util-linux's `script`), whose person types `answer`. */
function atTerminal(stateDir: string, args: readonly string[], answer: string): Promise<{ readonly exitCode: number | null; readonly shown: string }> {
  return new Promise((resolve, reject) => {
    const line = [process.execPath, LAUNCHER, ...args].map((word) => `'${word}'`).join(' ');
    const child = spawn('script', ['-qec', line, '/dev/null'], { cwd: stateDir, env: environmentOf(stateDir), timeout: 60_000, killSignal: 'SIGKILL' });
    let shown = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (!shown.includes('[y/N]') && `${shown}${text}`.includes('[y/N]')) child.stdin.write(`${answer}\n`);
      shown += text;
    });
    child.once('error', reject);
    child.once('close', (exitCode) => resolve({ exitCode, shown }));
  });
}

describe.each([
  ['erase', 'Erase agent:main:telegram:direct:ann for good'],
  ['delete', 'Delete the session agent:main:telegram:direct:ann'],
])('sessions %s at a terminal', (command, question) => {
  it('asks, and changes nothing on a no', async () => {
    const stateDir = stateOfOne();
    const before = readFileSync(join(sessionsDir(stateDir), 'sessions.json'), 'utf8');
    const { shown } = await atTerminal(stateDir, ['sessions', command, KEY], 'n');
    expect(shown).toContain(question);
    expect(readFileSync(join(sessionsDir(stateDir), 'sessions.json'), 'utf8')).toBe(before);
    expect(existsSync(join(sessionsDir(stateDir), `${SESSION_ID}.jsonl`))).toBe(true);
  });

  it('asks, and does it on a yes', async () => {
    const stateDir = stateOfOne();
    const { exitCode, shown } = await atTerminal(stateDir, ['sessions', command, KEY], 'y');
    expect(shown).toContain(question);
    expect(exitCode).toBe(0);
    const { stdout } = await runCommand(stateDir, ['sessions', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ count: 0 });
  });
});
