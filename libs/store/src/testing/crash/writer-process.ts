/** Starts crash writers as processes of their own, alone or under a tracer that injects faults. */
import { spawn, spawnSync, type ChildProcess, type ChildProcessByStdio } from 'node:child_process';
import * as fs from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import type { PrivateBuild } from './private-build';
import type { CrashWriterConfig } from './crash-writer';

/** A writer that is neither killed nor done by then hangs. */
const RUN_MS_MAX = 90_000;
const POLL_MS = 2;

export interface WriterExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

/** A running writer. `end` resolves when it is gone. */
export class WriterProcess {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly end: Promise<WriterExit>;
  #output = '';

  /** @param threads size of the thread pool; one makes the n-th call of a thread exact. */
  constructor(build: PrivateBuild, config: CrashWriterConfig, threads = 1, env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(process.execPath, [build.writer, JSON.stringify(config)], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], UV_THREADPOOL_SIZE: String(threads), ...env },
    });
    // The pipe of a killed process may break while we write to it.
    this.child.stdin.on('error', () => undefined);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), RUN_MS_MAX);
    this.child.stdout.on('data', (data: Buffer) => (this.#output += data.toString('utf8')));
    this.child.stderr.on('data', (data: Buffer) => (this.#output += data.toString('utf8')));
    this.end = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        clearTimeout(timer);
        resolve({ code, signal, output: this.#output });
      });
    });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  get output(): string {
    return this.#output;
  }

  /** Resolves when the writer waits for `go`, or is gone. */
  async ready(): Promise<void> {
    let ended = false;
    void this.end.then(() => (ended = true));
    while (!this.#output.includes('ready') && !ended) await pause(POLL_MS);
  }

  go(): void {
    this.child.stdin.write('g');
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.child.kill(signal);
  }
}

/** What strace does to the calls of a traced process. */
export interface Tracing {
  /** Comma separated system calls. */
  readonly calls: string;
  /** Text behind `inject=<calls>:`; absent: only trace. */
  readonly inject?: string;
  /** Only calls on these files, which must exist. */
  readonly paths?: readonly string[];
  /** Where the trace goes. */
  readonly outputFile?: string;
}

/** Attaches to a waiting writer, lets it go, and waits for both to end. */
export async function runTraced(writer: WriterProcess, tracing: Tracing): Promise<WriterExit> {
  await writer.ready();
  const args = ['-f', '-qq', '-o', tracing.outputFile ?? '/dev/null', '-e', `trace=${tracing.calls}`, '-e', 'signal=none'];
  for (const place of tracing.paths ?? []) args.push('-P', place);
  if (tracing.inject !== undefined) args.push('-e', `inject=${tracing.calls}:${tracing.inject}`);
  const tracer = spawn('strace', [...args, '-p', String(writer.pid)], { stdio: 'ignore' });
  const tracerEnd = ended(tracer);
  try {
    await attached(writer, tracerEnd);
    writer.go();
    return await writer.end;
  } finally {
    writer.kill();
    await tracerEnd;
  }
}

async function attached(writer: WriterProcess, tracerEnd: Promise<void>): Promise<void> {
  let isOver = false;
  void tracerEnd.then(() => (isOver = true));
  void writer.end.then(() => (isOver = true));
  while (!isOver) {
    const tasks = fs.existsSync(`/proc/${writer.pid}/task`) ? fs.readdirSync(`/proc/${writer.pid}/task`) : [];
    const traced = tasks.filter((task) => isTraced(`/proc/${writer.pid}/task/${task}/status`));
    if (tasks.length > 0 && traced.length === tasks.length) return;
    await pause(POLL_MS);
  }
}

function isTraced(statusFile: string): boolean {
  try {
    return !/^TracerPid:\t0$/m.test(fs.readFileSync(statusFile, 'utf8'));
  } catch {
    return true;
  }
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.on('close', () => resolve());
    child.on('error', () => resolve());
  });
}

/** Why system calls cannot be traced here; undefined: they can. */
export function whyNoTracing(): string | undefined {
  const probe = spawnSync('strace', ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=unlink', '/bin/true'], { encoding: 'utf8' });
  if (probe.error !== undefined) return 'strace is not installed';
  return probe.status === 0 ? undefined : `strace cannot trace here: ${probe.stderr.trim()}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
