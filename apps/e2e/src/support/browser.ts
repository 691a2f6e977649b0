/**
 * A headless Chromium with one page, driven by the DevTools protocol over its WebSocket. Needs the
 * program `chromium`; without it opening fails and says how to get it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { WebSocket } from 'ws';

/** A loaded machine takes its time. */
const START_TIMEOUT_MS = 120_000;
const ANSWER_TIMEOUT_MS = 60_000;

const FLAGS = [
  '--headless=new', '--remote-debugging-port=0', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--no-default-browser-check',
  '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-extensions',
  // A page in a window that nobody sees goes on at its full pace.
  '--disable-background-timer-throttling', '--disable-renderer-backgrounding', '--disable-backgrounding-occluded-windows',
];

export interface Page {
  goto(url: string): Promise<void>;
  /** The value of an expression in the page; promises are awaited. @throws what the page throws */
  evaluate<T>(expression: string): Promise<T>;
  /** What the page printed as errors, its uncaught exceptions included. */
  readonly errors: readonly string[];
}

export interface Browser {
  readonly page: Page;
  close(): Promise<void>;
}

function findChromium(): string {
  const found = (process.env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, 'chromium')).find((path) => existsSync(path));
  if (found === undefined) throw new Error('this test drives a real browser and did not find chromium; on Debian, as root: apt-get install chromium');
  return found;
}

export async function openBrowser(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'sessions-browser-'));
  // Root has no sandbox of its own to give; the page is ours.
  const flags = [...FLAGS, ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), `--user-data-dir=${profile}`, 'about:blank'];
  // A group of its own: a browser is many processes.
  const child = spawn(findChromium(), flags, { detached: true, stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, HOME: profile } });
  const exited = once(child, 'exit');
  const close = async (): Promise<void> => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It is gone already.
    }
    await exited;
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  };
  try {
    return { page: await openPage(await endpointOf(child.stderr)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Where the browser listens, from what it prints. */
function endpointOf(stderr: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let printed = '';
    const timer = setTimeout(() => reject(new Error(`chromium did not say where it listens:\n${printed}`)), START_TIMEOUT_MS);
    stderr.setEncoding('utf8');
    stderr.on('data', (text: string) => {
      printed += text;
      const found = /DevTools listening on (ws:\/\/\S+)/u.exec(printed)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found);
    });
    stderr.on('end', () => reject(new Error(`chromium ended:\n${printed}`)));
  });
}

interface Reply {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

async function openPage(endpoint: string): Promise<Page> {
  const socket = new WebSocket(endpoint, { perMessageDeflate: false });
  await once(socket, 'open');
  const waiting = new Map<number, (reply: Reply) => void>();
  const errors: string[] = [];
  let loaded = (): void => undefined;
  let sentCount = 0;
  socket.on('message', (data) => {
    const reply = JSON.parse(String(data)) as Reply;
    if (reply.id !== undefined) waiting.get(reply.id)?.(reply);
    else if (reply.method === 'Page.loadEventFired') loaded();
    else if (reply.method === 'Runtime.exceptionThrown') errors.push(JSON.stringify(reply.params));
  });
  const send = (method: string, params: Record<string, unknown>, sessionId?: string): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const id = (sentCount += 1);
      const timer = setTimeout(() => reject(new Error(`chromium did not answer ${method}`)), ANSWER_TIMEOUT_MS);
      waiting.set(id, ({ result, error }) => {
        clearTimeout(timer);
        waiting.delete(id);
        if (error === undefined) resolve(result ?? {});
        else reject(new Error(`${method}: ${error.message}`));
      });
      socket.send(JSON.stringify({ id, method, params, sessionId }));
    });

  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = (await send('Target.attachToTarget', { targetId, flatten: true })) as { sessionId: string };
  await send('Page.enable', {}, sessionId);
  await send('Runtime.enable', {}, sessionId);
  return {
    errors,
    async goto(url) {
      const whenLoaded = new Promise<void>((resolve) => (loaded = resolve));
      await send('Page.navigate', { url }, sessionId);
      await whenLoaded;
    },
    async evaluate<T>(expression: string) {
      const { result, exceptionDetails } = await send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true }, sessionId);
      if (exceptionDetails !== undefined) throw new Error(`the page threw: ${JSON.stringify(exceptionDetails)}`);
      return (result as { value: T }).value;
    },
  };
}
