/** The compose file holds together, also where no Docker is: what it names exists, and nothing runs with more rights than it needs. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { DRAIN_TIMEOUT_MS } from '@sessions/host';
import { parse } from 'yaml';

const ROOT = path.join(__dirname, '..', '..');
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

interface ServiceDefinition {
  readonly image: string;
  readonly command: readonly string[];
  readonly restart: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly stop_grace_period?: string;
  readonly pids_limit?: number;
  readonly privileged?: boolean;
  readonly cap_add?: readonly string[];
  readonly networks: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, { readonly condition: string }>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly healthcheck?: { readonly disable?: boolean };
}
interface ComposeFile {
  readonly services: Readonly<Record<string, ServiceDefinition>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const text = read('docker-compose.yml');
const file = parse(text, { merge: true }) as ComposeFile;
const services = Object.entries(file.services);
/** The services that are ours and run for good. */
const APPS = ['router', 'store-writer', 'maintenance-scheduler', 'compaction-worker', 'agent-runner'];

/** Variables of the file: `${NAME}`, `${NAME:?why}` and `${NAME:-default}`. */
const variables = [...text.replace(/^\s*#.*$/gmu, '').matchAll(/\$\{(\w+)(?:(:[-?])([^}]*))?\}/gu)].map(([, name = '', kind, rest]) => ({ name, isRequired: kind === ':?', fallback: kind === ':-' ? rest : undefined }));
const withDefaults = (value: string): string => value.replace(/\$\{(\w+)(?::-([^}]*))?[^}]*\}/gu, (_, name: string, fallback?: string) => fallback ?? `<${name}>`);
const passwordOf = (service: string): string => `NATS_${service.toUpperCase().replaceAll('-', '_')}_PASSWORD`;

describe('the compose file', () => {
  it('runs every app of the system, NATS and the set-up step', () => {
    expect(Object.keys(file.services).sort()).toEqual([...APPS, 'nats', 'setup'].sort());
    for (const app of APPS) expect(file.services[app]?.command).toEqual(['node', `apps/${app}/dist/main.js`]);
  });

  it.each(services)('%s: depends on, joins and mounts only what there is', (_name, { depends_on = [], networks, volumes = [] }) => {
    for (const other of Array.isArray(depends_on) ? (depends_on as readonly string[]) : Object.keys(depends_on)) expect(Object.keys(file.services)).toContain(other);
    for (const network of networks) expect(Object.keys(file.networks)).toContain(network);
    for (const volume of volumes) {
      const [source = '', target] = withDefaults(volume).split(':');
      expect(target).toMatch(/^\//u);
      if (source.startsWith('.')) expect([source, existsSync(path.join(ROOT, source))]).toEqual([source, true]);
      else expect(Object.keys(file.volumes)).toContain(source);
    }
  });

  it.each(services)('%s: has a read-only root, no capabilities, no way to more, and time to end', (_name, service) => {
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'], pids_limit: expect.any(Number) as number });
    expect([service.privileged, service.cap_add]).toEqual([undefined, undefined]);
    const seconds = /^(\d+)s$/u.exec(service.stop_grace_period ?? '')?.[1];
    expect(Number(seconds) * 1000).toBeGreaterThan(DRAIN_TIMEOUT_MS);
    expect(['unless-stopped', 'on-failure']).toContain(service.restart);
  });

  it('waits for the set-up step before any app, and for NATS before that', () => {
    for (const app of APPS) expect(file.services[app]?.depends_on).toEqual({ setup: { condition: 'service_completed_successfully' } });
    expect(file.services['setup']?.depends_on).toEqual(['nats']);
  });

  it('keeps NATS and the stores away from the outside, and only the writers write', () => {
    expect(file.networks['inside']).toEqual({ internal: true });
    for (const name of ['nats', 'store-writer', 'maintenance-scheduler', 'setup']) expect([name, file.services[name]?.networks]).toEqual([name, ['inside']]);
    expect(services.filter(([, { ports }]) => ports !== undefined).map(([name]) => name)).toEqual(['router']);
    expect(withDefaults(file.services['router']?.ports?.[0] ?? '')).toMatch(/^127\.0\.0\.1:/u);
    expect(services.filter(([, { volumes = [] }]) => volumes.some((volume) => volume.startsWith('state:'))).map(([name]) => name)).toEqual(['store-writer']);
  });

  it('watches the health of every app', () => {
    expect(read('Dockerfile')).toMatch(/^HEALTHCHECK /mu);
    for (const app of APPS) expect([app, file.services[app]?.healthcheck]).toEqual([app, undefined]);
  });

  it('takes its variables from .env, and the example has each of them', () => {
    const example = read('.env.example');
    const required = new Set(variables.filter(({ isRequired }) => isRequired).map(({ name }) => name));
    for (const { name, isRequired, fallback } of variables) {
      if (fallback !== undefined) expect(example).toMatch(new RegExp(`^#${name}=${fallback.replaceAll('.', '\\.')}$`, 'mu'));
      else {
        expect(example).toMatch(new RegExp(`^${name}=$`, 'mu'));
        // One that is only used would be silently empty.
        expect([name, isRequired || required.has(name)]).toEqual([name, true]);
      }
    }
    const known = new Set(variables.map(({ name }) => name));
    expect([...example.matchAll(/^#?([A-Z_]+)=/gmu)].map(([, name = '']) => name).filter((name) => !known.has(name))).toEqual([]);
  });
});

describe('the image', () => {
  const dockerfile = read('Dockerfile');

  it('holds what each service starts, and runs without privileges', () => {
    for (const app of APPS) expect(dockerfile).toContain(`/app/apps/${app}/dist/main.js`);
    expect(dockerfile).toMatch(/^USER node$/mu);
    expect(dockerfile).toContain('/usr/local/bin/openclaw');
  });

  it('has one base for every stage, which can be replaced', () => {
    expect(dockerfile).toMatch(/^ARG NODE_IMAGE=node:20-bookworm-slim$/mu);
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gmu)].map(([, base]) => base);
    expect(bases.length).toBeGreaterThan(1);
    expect(new Set(bases)).toEqual(new Set(['${NODE_IMAGE}']));
  });
});

describe('the users of NATS', () => {
  const conf = read('docker/nats.conf').replace(/^\s*#.*$/gmu, '');
  const users = new Map([...conf.matchAll(/\{ user: "([\w-]+)", password: \$(\w+), permissions: \$(\w+) \}/gu)].map(([, user = '', password = '', permissions = '']) => [user, { password, permissions }]));
  const ours = [...APPS, 'setup'];

  it('are the services, each with a password of its own that NATS is given', () => {
    expect([...users.keys()].sort()).toEqual([...ours].sort());
    for (const service of ours) {
      expect([service, users.get(service)?.password]).toEqual([service, passwordOf(service)]);
      expect(file.services[service]?.environment['SESS_NATS_URL']).toBe(`nats://${service}:\${${passwordOf(service)}}@nats:4222`);
    }
    const used = [...conf.matchAll(/\$(NATS_\w+)/gu)].map(([, name]) => name);
    expect(Object.keys(file.services['nats']?.environment ?? {}).sort()).toEqual([...new Set(used)].sort());
  });

  it.each(ours)('%s: hears its own inbox only, and writes to those of users there are', (service) => {
    const name = users.get(service)?.permissions ?? 'none';
    const section = new RegExp(`^${name} = \\{\\n([^]*?)\\n\\}`, 'mu').exec(conf)?.[1] ?? '';
    const inboxes = (part: string): string[] => [...part.matchAll(/"_INBOX_([\w-]+)\.>"/gu)].map(([, user = '']) => user);
    const [publish = '', subscribe = ''] = section.split(/^ {2}subscribe:/mu);
    expect(inboxes(subscribe)).toEqual([service]);
    for (const other of inboxes(publish)) expect(ours).toContain(other);
    // No one may hear or say everything.
    expect(section).not.toMatch(/"(>|\*|sess\.>|\$JS\.>|\$JS\.API\.>|_INBOX\.>)"/u);
  });

  it('are what the apps call themselves', () => {
    for (const app of APPS) expect(read(`apps/${app}/src/config.ts`)).toContain(`name: '${app}'`);
  });
});
