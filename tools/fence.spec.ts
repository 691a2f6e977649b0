/**
 * The fence holds: each import that the dependency rules forbid is refused by the real lint
 * configuration, and its nearest permitted neighbour is accepted.
 */
import { execFileSync } from 'node:child_process';
import path from 'node:path';

interface Case {
  /** What is forbidden or permitted, as the test's name. */
  readonly name: string;
  readonly file: string;
  readonly text: string;
  readonly plant?: readonly (readonly [string, string])[];
  readonly cut?: readonly string[];
  readonly tags?: Readonly<Record<string, readonly string[]>>;
}
interface Refusal extends Case {
  readonly rule: string;
  readonly says: RegExp;
}
interface Message {
  readonly ruleId: string | null;
  readonly message: string;
  readonly severity: number;
}

const BOUNDARIES = '@nx/enforce-module-boundaries';
const LINT_TIMEOUT_MS = 120_000;

const importing = (specifier: string): string => `import * as it from '${specifier}';\nexport const kept = it;\n`;
const returning = (expression: string): string => `export function kept(): unknown {\n  return ${expression};\n}\n`;

const refused: readonly Refusal[] = [
  {
    name: 'contracts importing the domain',
    file: 'libs/contracts/src/planted.ts', text: importing('@sessions/domain'), cut: ['domain'],
    rule: BOUNDARIES, says: /layer:contracts.*cannot depend on any libs with tags/s,
  },
  {
    name: 'contracts importing a package that is not the protobuf runtime',
    file: 'libs/contracts/src/planted.ts', text: importing('pino'),
    rule: BOUNDARIES, says: /layer:contracts.*not allowed to import.*pino/s,
  },
  {
    name: 'the domain importing the store',
    file: 'libs/domain/src/planted.ts', text: importing('@sessions/store'), cut: ['store'],
    rule: BOUNDARIES, says: /layer:domain.*can only depend on libs tagged with.*layer:contracts/s,
  },
  {
    name: 'a cycle: the domain importing the host that imports it',
    file: 'libs/domain/src/planted.ts', text: importing('@sessions/host'),
    rule: BOUNDARIES, says: /circular dependency/i,
  },
  {
    name: 'the domain importing an installed package',
    file: 'libs/domain/src/planted.spec.ts', text: importing('json5'),
    rule: BOUNDARIES, says: /layer:domain.*not allowed to import.*json5/s,
  },
  {
    name: 'a production file of the domain importing fast-check',
    file: 'libs/domain/src/planted.ts', text: importing('fast-check'),
    rule: 'no-restricted-imports', says: /domain is pure/,
  },
  {
    name: 'the generators of the domain importing node:fs',
    file: 'libs/domain/src/testing.ts', text: importing('node:fs'),
    rule: 'no-restricted-imports', says: /generators/,
  },
  {
    name: 'infrastructure importing other infrastructure',
    file: 'libs/host/src/planted.ts', text: importing('@sessions/bus'), cut: ['bus'],
    rule: BOUNDARIES, says: /layer:infra.*can only depend on/s,
  },
  {
    name: 'infrastructure importing a service',
    file: 'libs/store/src/planted.ts', text: importing('@sessions/store-writer'), cut: ['store-writer'],
    rule: BOUNDARIES, says: /layer:infra.*can only depend on/s,
  },
  {
    name: 'a service importing another service',
    file: 'libs/services/store-writer/src/planted.ts', text: importing('@sessions/router'), cut: ['router'],
    rule: BOUNDARIES, says: /layer:service.*can only depend on/s,
  },
  {
    name: 'a service importing better-sqlite3',
    file: 'libs/services/store-writer/src/planted.ts', text: importing('better-sqlite3'),
    rule: BOUNDARIES, says: /layer:service.*not allowed to import.*better-sqlite3/s,
  },
  {
    name: 'a service importing the NATS client, installed or not',
    file: 'libs/services/router/src/planted.ts', text: importing('@nats-io/transport-node'),
    rule: 'no-restricted-imports', says: /Only libs\/bus/,
  },
  {
    name: 'the store importing the NATS client, installed or not',
    file: 'libs/store/src/planted.ts', text: importing('nats'),
    rule: 'no-restricted-imports', says: /Only libs\/bus/,
  },
  {
    name: 'an app importing another app',
    file: 'apps/cli/src/planted.ts', text: importing('@sessions/e2e'), cut: ['e2e'],
    rule: BOUNDARIES, says: /Imports of (apps|e2e projects) are forbidden/,
  },
  {
    name: 'the app importing better-sqlite3 past the store',
    file: 'apps/cli/src/planted.ts', text: importing('better-sqlite3'),
    rule: BOUNDARIES, says: /layer:app.*not allowed to import.*better-sqlite3/s,
  },
  {
    name: 'a shared library importing what belongs to one service',
    file: 'libs/host/src/planted.ts', text: importing('@sessions/router'), cut: ['router'],
    tags: { router: ['layer:domain', 'scope:router'] },
    rule: BOUNDARIES, says: /scope:shared.*can only depend on libs tagged with.*scope:shared/s,
  },
  {
    name: 'a service importing what belongs to another service',
    file: 'libs/services/store-writer/src/planted.ts', text: importing('@sessions/router'), cut: ['router'],
    tags: { router: ['layer:infra', 'scope:router'] },
    rule: BOUNDARIES, says: /scope:store-writer.*can only depend on libs tagged with.*scope:shared/s,
  },
  {
    name: 'a project that never touches models reaching one through another library',
    file: 'libs/services/router/src/planted.ts', text: importing('@sessions/host'), plant: [['host', 'bus']], cut: ['bus'],
    tags: { bus: ['layer:infra', 'scope:shared', 'touches:models'] },
    rule: BOUNDARIES, says: /never:models.*can not depend on libs tagged with.*touches:models/s,
  },
  {
    name: 'a project without tags importing anything',
    file: 'libs/host/src/planted.ts', text: importing('@sessions/domain'), tags: { host: [] },
    rule: BOUNDARIES, says: /project without tags/i,
  },
  {
    name: 'a project that never touches files importing the store',
    file: 'libs/services/router/src/planted.ts', text: importing('@sessions/store'), cut: ['store'],
    rule: BOUNDARIES, says: /never:files.*can not depend on libs tagged with.*touches:files/s,
  },
  {
    name: 'a project that never touches files reaching the store through another library',
    file: 'libs/services/router/src/planted.ts', text: importing('@sessions/host'), plant: [['host', 'store']], cut: ['store'],
    rule: BOUNDARIES, says: /never:files.*can not depend on libs tagged with.*touches:files/s,
  },
  {
    name: 'a project that never touches files importing better-sqlite3',
    file: 'libs/bus/src/planted.ts', text: importing('better-sqlite3'),
    rule: BOUNDARIES, says: /never:files.*not allowed to import.*better-sqlite3/s,
  },
  {
    name: 'a file of another library past its door',
    file: 'libs/services/router/src/planted.ts', text: importing('../../../domain/src/ids'),
    rule: BOUNDARIES, says: /cannot be imported by a relative or absolute path/i,
  },
  ...['node:fs', 'fs', 'node:crypto', 'json5', '@sessions/host'].map((specifier) => ({
    name: `the domain importing ${specifier}, whatever the graph says`,
    file: 'libs/domain/src/planted.ts', text: importing(specifier),
    rule: 'no-restricted-imports', says: /domain is pure/,
  })),
  ...(
    [
      ['Date.now()', 'no-restricted-properties', /nowMs/],
      ['Math.random()', 'no-restricted-properties', /[Rr]andomness/],
      ['new Date()', 'no-restricted-syntax', /nowMs/],
      ['Date()', 'no-restricted-syntax', /nowMs/],
      ["import('node:fs')", 'no-restricted-syntax', /statically/],
      ['process.env', 'no-restricted-globals', /parameter/],
      ["console.log('x')", 'no-restricted-globals', /logs/],
      ["require('node:fs')", 'no-restricted-globals', /statically/],
      ['globalThis.process', 'no-restricted-globals', /forbidden global/],
      ['performance.now()', 'no-restricted-globals', /nowMs/],
      ['setTimeout(() => undefined, 1)', 'no-restricted-globals', /[Tt]imers/],
      ['setInterval(() => undefined, 1)', 'no-restricted-globals', /[Tt]imers/],
      ['queueMicrotask(() => undefined)', 'no-restricted-globals', /[Tt]imers/],
    ] as const
  ).map(([expression, rule, says]) => ({
    name: `the domain evaluating ${expression}`,
    file: 'libs/domain/src/planted.ts', text: returning(expression), rule, says,
  })),
];

const accepted: readonly Case[] = [
  { name: 'the domain importing contracts', file: 'libs/domain/src/planted.ts', text: importing('@sessions/contracts') },
  { name: 'the domain importing its own file', file: 'libs/domain/src/planted.ts', text: importing('./ids') },
  { name: 'the domain reading a date that it was given', file: 'libs/domain/src/planted.ts', text: returning('new Date(0)') },
  { name: 'a property test of the domain importing fast-check', file: 'libs/domain/src/planted.property.spec.ts', text: importing('fast-check') },
  { name: 'the generators of the domain importing fast-check', file: 'libs/domain/src/testing.ts', text: importing('fast-check') },
  { name: 'the contracts importing the protobuf runtime', file: 'libs/contracts/src/planted.ts', text: importing('@bufbuild/protobuf') },
  { name: 'the host importing the domain', file: 'libs/host/src/planted.ts', text: importing('@sessions/domain') },
  { name: 'the store importing better-sqlite3', file: 'libs/store/src/planted.ts', text: importing('better-sqlite3') },
  { name: 'the bus importing the NATS client', file: 'libs/bus/src/planted.ts', text: importing('nats') },
  { name: 'the router importing the bus', file: 'libs/services/router/src/planted.ts', text: importing('@sessions/bus') },
  { name: 'the store-writer importing the store', file: 'libs/services/store-writer/src/planted.ts', text: importing('@sessions/store') },
  { name: 'the command line importing every service', file: 'apps/cli/src/planted.ts', text: importing('@sessions/router') + importing('@sessions/store-writer').replaceAll('it', 'that').replace('kept', 'too') },
  { name: 'the end-to-end tests importing the store and its database', file: 'apps/e2e/src/planted.ts', text: importing('@sessions/store') + importing('better-sqlite3').replaceAll('* as it', '* as db').replace('kept = it', 'too = db') },
];

let verdicts: ReadonlyMap<Case, readonly Message[]>;

beforeAll(() => {
  const cases = [...refused, ...accepted];
  const answer = execFileSync(process.execPath, [path.join(__dirname, 'fence', 'lint-from-memory.mjs')], {
    input: JSON.stringify(cases),
    encoding: 'utf8',
    timeout: LINT_TIMEOUT_MS,
  });
  const messages = JSON.parse(answer) as readonly (readonly Message[])[];
  verdicts = new Map(cases.map((one, at) => [one, messages[at] ?? []]));
}, LINT_TIMEOUT_MS);

describe('the fence refuses', () => {
  it.each(refused.map((one) => [one.name, one] as const))('%s', (_name, one) => {
    const byRule = (verdicts.get(one) ?? []).filter(({ ruleId, severity }) => ruleId === one.rule && severity === 2);
    expect(byRule.map(({ message }) => message)).toContainEqual(expect.stringMatching(one.says));
  });
});

describe('the fence accepts', () => {
  it.each(accepted.map((one) => [one.name, one] as const))('%s', (_name, one) => {
    expect(verdicts.get(one)).toEqual([]);
  });
});
