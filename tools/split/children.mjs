/**
 * The processes of the split deployment on one machine: each line they print gets their name before
 * it, one that dies is started again after a growing pause, and all end in the order asked for.
 *
 * Each is a process group of its own: a Ctrl-C reaches only the parent, which then ends them in order.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const BACKOFF_MS_MIN = 500;
const BACKOFF_MS_MAX = 30_000;
/** One that ran for so long was well; its next pause is short again. */
const WELL_AFTER_MS = 60_000;

export class Children {
  #children = [];
  #ending = false;
  #print;

  /** @param print gets one line, with the child's name before it */
  constructor(print) {
    this.#print = print;
  }

  /**
   * Starts a process and keeps it running.
   * @param options.shows which of its lines are worth printing; default all
   * @param options.onRestart called each time it was started again
   */
  start(name, command, args, { env, cwd, shows = () => true, onRestart = () => undefined }) {
    const child = { name, pausedMs: BACKOFF_MS_MIN, process: undefined, timer: undefined };
    this.#children.push(child);
    const begin = (isRestart) => {
      const startedAtMs = performance.now();
      child.timer = undefined;
      child.process = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
      child.exited = new Promise((resolve) => {
        child.process.once('error', (error) => {
          this.#say(name, `cannot be started: ${error.message}`);
          resolve();
        });
        child.process.once('close', (code, signal) => {
          child.process = undefined;
          if (!this.#ending) {
            if (performance.now() - startedAtMs > WELL_AFTER_MS) child.pausedMs = BACKOFF_MS_MIN;
            this.#say(name, `ended unexpectedly (${signal ?? `exit ${code}`}); starting it again in ${child.pausedMs} ms`);
            child.timer = setTimeout(begin, child.pausedMs, true);
            child.pausedMs = Math.min(child.pausedMs * 2, BACKOFF_MS_MAX);
          }
          resolve();
        });
      });
      for (const stream of [child.process.stdout, child.process.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          if (shows(line)) this.#say(name, line);
        });
      }
      if (isRestart) onRestart();
    };
    begin(false);
  }

  /** Ends those of these names at once, all of them at a time; what does not end in time is killed. @returns whether all ended by themselves */
  async end(names, limitMs) {
    this.#ending = true;
    const chosen = this.#children.filter(({ name }) => names.some((one) => name === one || name.startsWith(`${one}-`)));
    const ends = chosen.map(async (child) => {
      clearTimeout(child.timer);
      const running = child.process;
      if (running === undefined) return true;
      running.kill('SIGTERM');
      let isLate = false;
      const late = setTimeout(() => {
        isLate = true;
        this.#say(child.name, `did not end within ${limitMs} ms; killing it`);
        running.kill('SIGKILL');
      }, limitMs);
      await child.exited;
      clearTimeout(late);
      return !isLate;
    });
    return (await Promise.all(ends)).every(Boolean);
  }

  /** No child that dies from now on is started again. */
  beginEnd() {
    this.#ending = true;
    for (const child of this.#children) clearTimeout(child.timer);
  }

  #say(name, line) {
    this.#print(`${name.padEnd(23)} | ${line}`);
  }
}
