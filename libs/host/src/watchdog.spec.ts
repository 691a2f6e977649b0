import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

/** A process with a watchdog of 400 ms that obeys the words it is sent. */
const CHILD = `
const { startWatchdog } = require(${JSON.stringify(path.join(__dirname, '..', 'dist', 'watchdog.js'))});
const dog = startWatchdog({ service: 'test', instance: 'one', limitMs: 400 });
process.on('message', (word) => {
  if (word === 'wedge') { process.send('wedging'); const until = Date.now() + 20000; while (Date.now() < until); }
  if (word === 'ping') process.send('pong');
  if (word === 'stop') dog.stop().then(() => { process.send('stopped'); process.disconnect(); });
});
process.send('ready');
`;

describe('the watchdog', () => {
  let child: ChildProcess;
  let stderr = '';
  const told = async (word: string): Promise<void> => {
    for (;;) if (((await once(child, 'message')) as string[])[0] === word) return;
  };
  beforeEach(async () => {
    stderr = '';
    child = spawn(process.execPath, ['-e', CHILD], { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] });
    child.stderr?.on('data', (text: Buffer) => (stderr += text.toString()));
    await told('ready');
  });
  afterEach(() => void child.kill('SIGKILL'));

  it('ends a process whose main thread stands still, and says so', async () => {
    const exited = once(child, 'close');
    child.send('wedge');
    expect(await exited).toEqual([null, 'SIGKILL']);
    expect(JSON.parse(stderr.trim())).toMatchObject({ level: 'error', service: 'test', reason: 'WEDGED' });
  }, 15_000);

  it('leaves a process alone that was stopped and goes on, and one that is idle', async () => {
    child.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    child.kill('SIGCONT');
    await new Promise((resolve) => setTimeout(resolve, 800));
    child.send('ping');
    await told('pong');
    expect(child.exitCode ?? child.signalCode).toBeNull();
  }, 15_000);

  it('keeps no process alive once it has stopped', async () => {
    const exited = once(child, 'close');
    child.send('stop');
    await told('stopped');
    expect(await exited).toEqual([0, null]);
  }, 15_000);
});
