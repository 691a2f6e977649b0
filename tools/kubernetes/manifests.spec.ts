/** The Kubernetes example holds together without a cluster: every reference has its object, every port its listener. */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { DRAIN_TIMEOUT_MS } from '@sessions/host';
import JSON5 from 'json5';
import { parseAllDocuments } from 'yaml';

const ROOT = path.join(__dirname, '..', '..');
const DIRECTORY = path.join(ROOT, 'docs', 'kubernetes');
const read = (file: string): string => readFileSync(path.join(DIRECTORY, file), 'utf8');
const dockerfile = readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8');

type Labels = Readonly<Record<string, string>>;
interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string | number };
}
interface Container {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string; readonly key: string } } }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly securityContext?: unknown;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
}
interface PodTemplate {
  readonly metadata: { readonly labels: Labels };
  readonly spec: {
    readonly terminationGracePeriodSeconds?: number;
    readonly securityContext?: unknown;
    readonly containers: readonly Container[];
    readonly volumes?: readonly { readonly name: string; readonly configMap?: { readonly name: string } }[];
  };
}
interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly replicas?: number;
    readonly serviceName?: string;
    readonly clusterIP?: string;
    readonly selector?: { readonly matchLabels?: Labels } & Labels;
    readonly template?: PodTemplate;
    readonly ports?: readonly { readonly name: string; readonly port: number; readonly targetPort: string | number }[];
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string }; readonly spec: { readonly accessModes: readonly string[]; readonly resources: { readonly requests: { readonly storage: string } } } }[];
    readonly minAvailable?: number;
    readonly maxUnavailable?: number;
  };
}
interface Kustomization {
  readonly resources: readonly string[];
  readonly images: readonly { readonly name: string }[];
}

function documentsOf(file: string): unknown[] {
  return parseAllDocuments(read(file)).map((document) => {
    expect([file, document.errors, document.warnings]).toEqual([file, [], []]);
    return document.toJSON() as unknown;
  });
}

const kustomization = documentsOf('kustomization.yaml')[0] as Kustomization;
const manifests = kustomization.resources.flatMap((file) => documentsOf(file) as Manifest[]);
const named = (kind: string, name: string): Manifest | undefined => manifests.find((one) => one.kind === kind && one.metadata.name === name);
const workloads = manifests.flatMap((manifest) => (manifest.spec?.template === undefined ? [] : [{ manifest, name: manifest.metadata.name, kind: manifest.kind, pod: manifest.spec.template }]));
/** Those that run for good. */
const lasting = workloads.filter(({ kind }) => kind !== 'Job');
const matches = (selector: Labels, labels: Labels): boolean => Object.entries(selector).every(([name, value]) => labels[name] === value);
const selectedBy = (selector: Labels): string[] => workloads.filter(({ pod }) => matches(selector, pod.metadata.labels)).map(({ name }) => name);

const API_VERSIONS: Readonly<Record<string, string>> = { ConfigMap: 'v1', Service: 'v1', Job: 'batch/v1', Deployment: 'apps/v1', StatefulSet: 'apps/v1', PodDisruptionBudget: 'policy/v1' };

describe('the Kubernetes example', () => {
  it('lists every file that it has, and every object once, under its API', () => {
    expect(readdirSync(DIRECTORY).filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml').sort()).toEqual([...kustomization.resources].sort());
    const ids = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { apiVersion, kind } of manifests) expect([kind, apiVersion]).toEqual([kind, API_VERSIONS[kind]]);
  });

  it('runs every app, the writers with names and volumes of their own', () => {
    expect(lasting.map(({ kind, name }) => `${kind}/${name}`).sort()).toEqual(['Deployment/agent-runner', 'Deployment/compaction-worker', 'Deployment/maintenance-scheduler', 'Deployment/router', 'StatefulSet/store-writer']);
    const writers = named('StatefulSet', 'store-writer')?.spec;
    expect(named('Service', writers?.serviceName ?? '')?.spec?.clusterIP).toBe('None');
    expect(writers?.volumeClaimTemplates).toMatchObject([{ metadata: { name: 'state' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: expect.stringMatching(/^\d+Gi$/u) as string } } } }]);
    const statePath = /OPENCLAW_STATE_DIR=(\S+)/u.exec(dockerfile)?.[1];
    for (const { name, pod } of workloads) {
      const mounts = pod.spec.containers.flatMap(({ volumeMounts = [] }) => volumeMounts).filter(({ mountPath }) => mountPath === statePath);
      expect([name, mounts.map((mount) => mount.name)]).toEqual([name, name === 'store-writer' ? ['state'] : []]);
    }
  });

  it('names in its configuration the writers that it starts', () => {
    const config = JSON5.parse<{ storeWriter: { volume: string; writers: readonly string[] } }>(named('ConfigMap', 'sessions')?.data?.['openclaw.json'] ?? '{}');
    const replicas = named('StatefulSet', 'store-writer')?.spec?.replicas ?? 0;
    expect(config.storeWriter).toEqual({ volume: 'own', writers: Array.from({ length: replicas }, (_, at) => `store-writer-${at}`) });
    expect(named('StatefulSet', 'store-writer')?.spec?.template?.spec.containers[0]?.env).toContainEqual({ name: 'SESS_INSTANCE', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } });
  });

  it('selects with every selector exactly the pods that it means', () => {
    for (const { name, manifest, pod } of lasting) {
      const selector = manifest.spec?.selector?.matchLabels;
      expect([name, selector === undefined ? undefined : matches(selector, pod.metadata.labels)]).toEqual([name, true]);
      expect(selectedBy(selector ?? {})).toEqual([name]);
    }
    for (const { kind, metadata, spec } of manifests) {
      if (kind === 'Service') expect(selectedBy(spec?.selector ?? {})).toEqual([metadata.name]);
      if (kind === 'PodDisruptionBudget') expect(selectedBy(spec?.selector?.matchLabels ?? {})).toEqual([metadata.name]);
    }
  });

  it('leads every port of a service to a port of its pods', () => {
    for (const { metadata, spec } of manifests.filter(({ kind }) => kind === 'Service')) {
      const ports = workloads.find(({ name }) => name === metadata.name)?.pod.spec.containers.flatMap((container) => container.ports ?? []) ?? [];
      for (const { port, targetPort } of spec?.ports ?? []) expect([metadata.name, ports.find(({ name }) => name === targetPort)?.containerPort]).toEqual([metadata.name, port]);
    }
    const router = named('Deployment', 'router')?.spec?.template?.spec.containers[0];
    const portOf = (name: string): number | undefined => router?.ports?.find((one) => one.name === name)?.containerPort;
    expect(String(portOf('grpc'))).toBe(router?.env?.find(({ name }) => name === 'SESS_GRPC_PORT')?.value);
    expect(dockerfile).toMatch(new RegExp(`^EXPOSE ${portOf('gateway')} ${portOf('probes')}$`, 'mu'));
  });

  it.each(workloads.map((one) => [one.name, one] as const))('%s: mounts what there is and reads secrets that the README makes', (_name, { manifest, pod }) => {
    const readme = read('README.md');
    const there = [...(pod.spec.volumes ?? []).map(({ name }) => name), ...(manifest.spec?.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name)];
    const mounted = pod.spec.containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name));
    expect([...mounted].sort()).toEqual([...there].sort());
    for (const { configMap } of pod.spec.volumes ?? []) if (configMap !== undefined) expect(named('ConfigMap', configMap.name)).toBeDefined();
    for (const { env = [], command, image } of pod.spec.containers) {
      for (const { valueFrom } of env) {
        if (valueFrom?.secretKeyRef === undefined) continue;
        const { name, key } = valueFrom.secretKeyRef;
        expect(readme).toMatch(new RegExp(`create secret generic ${name} [^]*--from-literal=${key}=`, 'u'));
      }
      const [program, file] = command;
      expect(dockerfile).toContain(program === 'node' ? `/app/${file}` : `/usr/local/bin/${program}`);
      expect(kustomization.images.map(({ name }) => name)).toContain(image);
    }
  });

  it.each(workloads.map((one) => [one.name, one] as const))('%s: has no more rights than it needs', (_name, { pod }) => {
    expect(pod.spec).toMatchObject({ automountServiceAccountToken: false, securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } } });
    for (const container of pod.spec.containers) expect(container.securityContext).toEqual({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
  });

  it.each(lasting.map((one) => [one.name, one] as const))('%s: is asked whether it lives and serves, and gets time to end', (_name, { pod }) => {
    expect((pod.spec.terminationGracePeriodSeconds ?? 0) * 1000).toBeGreaterThan(DRAIN_TIMEOUT_MS);
    const probePort = Number(/SESS_PROBE_PORT=(\d+)/u.exec(dockerfile)?.[1]);
    for (const { ports = [], livenessProbe, readinessProbe } of pod.spec.containers) {
      expect(livenessProbe?.httpGet.path).toBe('/healthz');
      expect(readinessProbe?.httpGet.path).toBe('/readyz');
      for (const probe of [livenessProbe, readinessProbe]) expect(ports.find(({ name }) => name === probe?.httpGet.port)?.containerPort).toBe(probePort);
    }
  });
});
