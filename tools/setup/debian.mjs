/** System packages: installed where we may (Debian, root), named with the command where we may not. */
import { onPath, run, say } from './say.mjs';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const INSTALL = ['install', '-y', '--no-install-recommends'];

/** Where Debian puts what an ordinary user's PATH does not look for. */
const SYSTEM_DIRS = ['/usr/sbin', '/sbin'];

const isThere = (command) => onPath(command) || SYSTEM_DIRS.some((directory) => existsSync(join(directory, command)));

const mayInstall = () => process.getuid?.() === 0 && existsSync('/etc/debian_version') && onPath('apt-get');

/** The command that a person types to get `packages` on Debian and its relatives. */
export const installCommand = (packages) => `apt-get ${INSTALL.join(' ')} ${packages.join(' ')}`;

/**
 * Makes the commands available, installing their packages where that is possible.
 * @param wanted pairs [command, Debian package]
 * @returns the pairs that are still missing
 */
export function provide(wanted) {
  const missing = wanted.filter(([command]) => !isThere(command));
  if (missing.length === 0 || !mayInstall()) return missing;
  const packages = [...new Set(missing.map(([, name]) => name))];
  say(`installing ${packages.join(', ')}`);
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  try {
    run('apt-get', [...INSTALL, ...packages], options);
  } catch {
    try {
      run('apt-get', ['update'], options);
      run('apt-get', [...INSTALL, ...packages], options);
    } catch (error) {
      say(error.message);
    }
  }
  return wanted.filter(([command]) => !isThere(command));
}
