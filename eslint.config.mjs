/**
 * The lint rules of the workspace, and its fence: which project may import what.
 *
 * The fence reads the tags in each `project.json`; a dependency has to satisfy every row whose tag
 * the importer carries. `@nx/enforce-module-boundaries` sees workspace projects and installed
 * packages, but neither Node's built-in modules nor packages that are not installed: those are
 * refused by the `no-restricted-*` rules further down. `tools/fence.spec.ts` holds both to it.
 */
import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

/** Longer files are reported, not refused: they usually hold a second subject. */
const FILE_LINES_MAX = 400;

const NATS = ['nats', '@nats-io/*'];
const SQLITE = ['better-sqlite3'];
const MODELS = ['openai', 'openai/*', '@anthropic-ai/*'];

const depConstraints = [
  { sourceTag: 'layer:contracts', onlyDependOnLibsWithTags: [], allowedExternalImports: ['@bufbuild/protobuf'] },
  { sourceTag: 'layer:domain', onlyDependOnLibsWithTags: ['layer:contracts'], allowedExternalImports: ['fast-check'] },
  { sourceTag: 'layer:infra', onlyDependOnLibsWithTags: ['layer:contracts', 'layer:domain'] },
  {
    sourceTag: 'layer:service',
    onlyDependOnLibsWithTags: ['layer:contracts', 'layer:domain', 'layer:infra'],
    bannedExternalImports: [...NATS, ...SQLITE],
  },
  {
    sourceTag: 'layer:app',
    onlyDependOnLibsWithTags: ['layer:contracts', 'layer:domain', 'layer:infra', 'layer:service'],
    bannedExternalImports: [...NATS, ...SQLITE],
  },
  { sourceTag: 'layer:e2e', onlyDependOnLibsWithTags: ['*'] },
  { sourceTag: 'layer:tool', onlyDependOnLibsWithTags: ['*'] },
  ...['router', 'store-writer', 'maintenance-scheduler', 'compaction-worker', 'agent-runner'].map((service) => ({
    sourceTag: `scope:${service}`,
    onlyDependOnLibsWithTags: [`scope:${service}`, 'scope:shared'],
  })),
  // The command line composes every service in one process.
  { sourceTag: 'scope:cli', onlyDependOnLibsWithTags: ['scope:*'] },
  { sourceTag: 'scope:shared', onlyDependOnLibsWithTags: ['scope:shared'] },
  // Both of these follow the whole graph: a path over any number of projects counts.
  { sourceTag: 'never:files', notDependOnLibsWithTags: ['touches:files'], bannedExternalImports: SQLITE },
  { sourceTag: 'never:models', notDependOnLibsWithTags: ['touches:models'] },
];

/** What a production file of the domain may import: its own files and the wire types. */
const DOMAIN_IMPORTS = '^(?!\\.{1,2}(/|$)|@sessions/contracts$)';

const DOMAIN_GLOBALS = [
  ['process', 'The environment arrives as a parameter.'],
  ['console', 'The domain returns facts; its caller logs them.'],
  ['require', 'Import statically, from this library or @sessions/contracts.'],
  ['globalThis', 'It reaches every forbidden global.'],
  ['global', 'It reaches every forbidden global.'],
  ['Buffer', 'It is Node only; use Uint8Array.'],
  ['performance', 'Time is a parameter: nowMs.'],
  ['crypto', 'Randomness is a parameter.'],
  ['fetch', 'The domain does no I/O.'],
  ...['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate', 'queueMicrotask'].map(
    (name) => [name, 'Timers belong to the caller.'],
  ),
].map(([name, message]) => ({ name, message }));

/** `no-restricted-imports` for packages that one library has to itself, installed or not. */
const reserved = (names) =>
  names.map(([owner, packages]) => ({ group: packages, message: `Only ${owner} may import this package.` }));

const SOURCES = ['**/*.{ts,mts,cts,js,mjs}'];
const SPECS = ['**/*.spec.ts'];

export default tseslint.config(
  { ignores: ['**/dist/**', '**/gen/**', '**/*.cjs', '**/node_modules/**', '**/.nx/**', '**/coverage/**'] },
  ...tseslint.configs.recommended,
  {
    files: SOURCES,
    plugins: { '@nx': nx },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@nx/enforce-module-boundaries': ['error', { allow: [], enforceBuildableLibDependency: false, checkDynamicDependenciesExceptions: ['@sessions/**'], depConstraints }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'all' }],
      'max-lines': ['warn', { max: FILE_LINES_MAX }],
    },
  },
  {
    files: ['libs/**/*.ts', 'apps/**/*.ts'],
    ignores: ['libs/store/**', 'libs/bus/**', 'libs/llm/**', 'apps/e2e/**'],
    rules: { 'no-restricted-imports': ['error', { patterns: reserved([['libs/bus', NATS], ['libs/store', SQLITE], ['libs/llm', MODELS]]) }] },
  },
  {
    files: ['libs/llm/**/*.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: reserved([['libs/bus', NATS], ['libs/store', SQLITE]]) }] },
  },
  {
    files: ['libs/store/**/*.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: reserved([['libs/bus', NATS], ['libs/llm', MODELS]]) }] },
  },
  {
    files: ['libs/bus/**/*.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: reserved([['libs/store', SQLITE], ['libs/llm', MODELS]]) }] },
  },
  {
    files: ['libs/domain/src/**/*.ts'],
    ignores: SPECS,
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ regex: DOMAIN_IMPORTS, message: 'The domain is pure: it imports its own files and @sessions/contracts.' }] },
      ],
      'no-restricted-globals': ['error', ...DOMAIN_GLOBALS],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'Time is a parameter: nowMs.' },
        { object: 'Math', property: 'random', message: 'Randomness is a parameter.' },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'It reads the clock: pass nowMs.' },
        { selector: "CallExpression[callee.name='Date']", message: 'It reads the clock: pass nowMs.' },
        { selector: 'ImportExpression', message: 'Import statically.' },
        { selector: 'TSImportEqualsDeclaration', message: 'Import statically, with import … from.' },
      ],
    },
  },
  {
    // The second door of the domain holds generators for the tests of others.
    files: ['libs/domain/src/testing.ts', 'libs/domain/src/testing/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(?!\\.{1,2}(/|$)|@sessions/contracts$|fast-check$)',
              message: 'The generators import their own library, @sessions/contracts and fast-check.',
            },
          ],
        },
      ],
    },
  },
);
