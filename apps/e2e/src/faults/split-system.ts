/** The whole split deployment on one machine, for tests that kill parts of it while clients write. */
import { connectNatsBus, createSubjects } from '@sessions/bus';
import { Event } from '@sessions/contracts';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../support/command';
import { startApp, type AppName, type SplitApp } from '../support/split-app';
import { checkMessages, type SeenOwner } from './check-messages';
import { MessageRecorder, type RecorderOptions } from './message-recorder';

export const TOKEN = 'only-for-this-test';

export interface AppPlace {
  readonly natsUrl: string;
  readonly launcher?: readonly string[];
}

export interface SplitSystemOptions {
  /** URLs of NATS, comma separated. */
  readonly natsUrl: string;
  /** How one app sees NATS and is started, where that differs from the others. */
  readonly placeOf?: (app: AppName, instance: string) => AppPlace | undefined;
  readonly routers?: number;
  readonly writers?: number;
  readonly others?: boolean;
  /** Copies of the stream and bucket. */
  readonly replicas?: number;
  readonly config?: object;
}

export class SplitSystem {
  readonly stateDir = mkdtempSync(join(tmpdir(), 'split-faults-'));
  readonly apps = new Map<string, SplitApp>();
  readonly owners: SeenOwner[] = [];
  readonly #options: SplitSystemOptions;
  #watch: { close(): Promise<void> } | undefined;
  /** Listening ports of routers, kept over restarts. */
  readonly #ports = new Map<string, number>();

  private constructor(options: SplitSystemOptions) {
    this.#options = options;
    writeFileSync(join(this.stateDir, 'openclaw.json'), JSON.stringify({ gateway: { auth: { token: TOKEN } }, session: { dmScope: 'per-channel-peer' }, ...options.config }));
  }

  static async start(options: SplitSystemOptions): Promise<SplitSystem> {
    const system = new SplitSystem(options);
    await system.setUpBus();
    await system.#watchOwners();
    const names = (app: AppName, count: number): [AppName, string][] => Array.from({ length: count }, (_, index) => [app, `${app}-${index + 1}`]);
    const others: [AppName, string][] = options.others === true ? [...names('maintenance-scheduler', 1), ...names('compaction-worker', 1), ...names('agent-runner', 1)] : [];
    await Promise.all([...names('store-writer', options.writers ?? 2), ...names('router', options.routers ?? 2), ...others].map(([app, instance]) => system.startApp(app, instance)));
    return system;
  }

  /** The one-shot step that makes stream and bucket. */
  async setUpBus(): Promise<void> {
    const { natsUrl, replicas = 1 } = this.#options;
    const { exitCode, stderr } = await runCommand(this.stateDir, ['gateway', 'setup-bus', '--bus', natsUrl, '--replicas', String(replicas)]);
    if (exitCode !== 0) throw new Error(`the bus was not set up: ${stderr}`);
  }

  async startApp(app: AppName, instance: string): Promise<SplitApp> {
    const { natsUrl, launcher = [] } = this.#options.placeOf?.(app, instance) ?? { natsUrl: this.#options.natsUrl };
    const port = this.#ports.get(instance);
    const env = { SESS_INSTANCE: instance, ...(port === undefined ? {} : { SESS_PORT: String(port) }) };
    const started = await startApp(app, this.stateDir, natsUrl, { env, launcher });
    if (started.port !== undefined) this.#ports.set(instance, started.port);
    this.apps.set(instance, started);
    return started;
  }

  app(instance: string): SplitApp {
    const found = this.apps.get(instance);
    if (found === undefined) throw new Error(`${instance} was never started`);
    return found;
  }

  /** Ends one in order. @throws with what it logged when it does not end clean */
  async stopApp(instance: string): Promise<void> {
    const app = this.app(instance);
    const code = await app.stop();
    if (code !== 0) throw new Error(`${instance} ended with ${code}: ${JSON.stringify(app.lines().filter(({ level }) => level !== 'info').slice(-10))}`);
  }

  /** Instance of the writer that last took this agent's store. */
  ownerOf(agentId: string): string {
    const file = join(this.stateDir, 'agents', agentId, 'sessions', '.store', 'owner.json');
    return (JSON.parse(readFileSync(file, 'utf8')) as { instance: string }).instance;
  }

  /** Clients that write to this system. */
  record(options: Omit<RecorderOptions, 'routers' | 'token'>): MessageRecorder {
    const routers = [...this.#ports].map(([instance, port]) => ({ instance, url: () => `http://127.0.0.1:${port}` }));
    return new MessageRecorder({ ...options, routers, token: TOKEN });
  }

  /** Ends all in order, so that every file is up to date, and says what is wrong with them. */
  async check(recorder: MessageRecorder): Promise<string> {
    await recorder.stop();
    const living = [...this.apps].filter(([, app]) => app.isRunning());
    const unclean = await Promise.all(living.map(([instance]) => this.stopApp(instance).then(() => '', (error: unknown) => String(error))));
    return [...unclean.filter((sentence) => sentence !== ''), ...checkMessages(this.stateDir, recorder, this.owners)].join('\n');
  }

  async remove(): Promise<void> {
    for (const app of this.apps.values()) await app.kill();
    await this.#watch?.close();
    rmSync(this.stateDir, { recursive: true, force: true });
  }

  async #watchOwners(): Promise<void> {
    const bus = await connectNatsBus({ servers: this.#options.natsUrl.split(','), service: 'e2e', instance: 'watch', subjectPrefix: 'sess' });
    this.#watch = bus;
    await bus.events.subscribe(createSubjects().events({ type: 'store' }), Event, (event) => {
      if (event.body?.$case !== 'store' || event.body.value.kind !== 'owner') return;
      const facts = JSON.parse(Buffer.from(event.body.value.factsJson ?? Buffer.from('{}')).toString('utf8')) as Readonly<Record<string, unknown>>;
      this.owners.push({ agentId: event.agentId, epoch: event.epoch, owner: String(facts['owner']) });
    });
  }
}
