/**
 * Writes libs/contracts/src/gen from proto/.
 *
 *   node tools/generate-contracts.mjs           generate
 *   node tools/generate-contracts.mjs --check   compare what is committed with what proto/ gives;
 *                                               names each file that differs and exits 1
 *
 * Needs no network: buf and the plug-in come from node_modules.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const generated = 'libs/contracts/src/gen';

/** Runs buf with the project's template; `out` replaces the folder that the template names. */
function generate(out) {
  const template = readFileSync(join(root, 'buf.gen.yaml'), 'utf8');
  const place = `out: ${generated}`;
  if (!template.includes(place)) throw new Error(`buf.gen.yaml does not say "${place}"`);
  const scratch = mkdtempSync(join(tmpdir(), 'contracts-template-'));
  try {
    const file = join(scratch, 'buf.gen.yaml');
    writeFileSync(file, template.replace(place, `out: ${JSON.stringify(out)}`));
    const run = spawnSync(join(root, 'node_modules/.bin/buf'), ['generate', '--template', file], {
      cwd: root,
      stdio: 'inherit',
    });
    if (run.error) throw run.error;
    if (run.status !== 0) throw new Error(`buf generate ended with ${run.status ?? run.signal}`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Relative path -> content of every file below `folder`. */
function readTree(folder) {
  const files = new Map();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    files.set(relative(folder, path), readFileSync(path, 'utf8'));
  }
  return files;
}

function check() {
  const scratch = mkdtempSync(join(tmpdir(), 'contracts-check-'));
  try {
    generate(scratch);
    const fresh = readTree(scratch);
    const committed = readTree(join(root, generated));
    const stale = [...new Set([...fresh.keys(), ...committed.keys()])]
      .filter((name) => fresh.get(name) !== committed.get(name))
      .sort();
    for (const name of stale) console.error(`stale: ${join(generated, name)}`);
    return stale.length === 0;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const unknown = process.argv.slice(2).filter((argument) => argument !== '--check');
if (unknown.length > 0) {
  console.error(`unknown argument: ${unknown.join(' ')}`);
  process.exit(1);
}
if (process.argv.includes('--check')) {
  if (!check()) {
    console.error('run: npm run gen');
    process.exit(1);
  }
  console.log('the generated contracts match proto/');
} else {
  generate(join(root, generated));
}
