/**
 * `node_modules` as `package-lock.json` says, installed only when it differs.
 *
 * npm writes `node_modules/.package-lock.json` last, after everything else is in place: when that
 * agrees with our lock, the installation is complete and current, whoever made it.
 */
import { SetupError, run, say } from './say.mjs';
import { installCommand, provide } from './debian.mjs';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** better-sqlite3 is compiled on installation. */
const COMPILER = [['g++', 'g++'], ['make', 'make'], ['python3', 'python3']];
const COMPILED = 'node_modules/better-sqlite3/build/Release/better_sqlite3.node';

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** True when every package that the lock demands is installed in that version. */
export function isInstalled(root) {
  if (!existsSync(path.join(root, COMPILED))) return false;
  const wanted = readPackages(path.join(root, 'package-lock.json'));
  const found = readPackages(path.join(root, 'node_modules/.package-lock.json'));
  if (wanted === undefined || found === undefined) return false;
  return Object.entries(wanted).every(([where, { version, optional, link }]) => {
    if (!where.startsWith('node_modules/')) return true;
    if (link === true) return found[where]?.link === true;
    return found[where] === undefined ? optional === true : found[where].version === version;
  });
}

/** Installs the dependencies when they are not there; a minute or two the first time. */
export function installDependencies(root) {
  if (isInstalled(root)) return;
  const missing = provide(COMPILER);
  if (missing.length > 0) {
    throw new SetupError(
      `a C++ toolchain is needed to compile better-sqlite3, and ${missing.map(([command]) => command).join(', ')} ` +
        `${missing.length === 1 ? 'is' : 'are'} missing. On Debian or Ubuntu, as root: ${installCommand(COMPILER.map(([, name]) => name))}`,
    );
  }
  say('installing dependencies with npm ci (compiles better-sqlite3: one to three minutes)');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root });
  if (!isInstalled(root)) throw new SetupError('npm ci ended well, but node_modules does not match package-lock.json.');
}
