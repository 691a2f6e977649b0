/**
 * The image that ours is built on, made fit for building where nothing can be downloaded: some
 * engines have a base image of their own making without Node's headers, and better-sqlite3 is
 * compiled with them. Headers of this machine's Node are put in when they are of the same version.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const NODE_IMAGE = 'node:20-bookworm-slim';
const IMAGE_HEADERS = '/usr/local/include/node';
/** `docker run` itself failed, not what it ran. */
const DOCKER_FAILED = 125;

function docker(args, options = {}) {
  const { error, ...result } = spawnSync('docker', args, { encoding: 'utf8', ...options });
  if (error !== undefined) throw error;
  return result;
}

function runIn(image, command, ...args) {
  const result = docker(['run', '--rm', '--network', 'none', '--entrypoint', command, image, ...args]);
  if (result.status === DOCKER_FAILED) throw new Error(`the base image ${image} cannot be run:\n${result.stderr}`);
  return result;
}

/** Version that the headers in a directory say they are of; undefined where there are none. */
function versionOf(directory) {
  const file = path.join(directory, 'node_version.h');
  if (!existsSync(file) || !existsSync(path.join(directory, 'node.h'))) return undefined;
  const text = readFileSync(file, 'utf8');
  const part = (name) => new RegExp(`^#define NODE_${name}_VERSION (\\d+)$`, 'm').exec(text)?.[1];
  return `v${part('MAJOR')}.${part('MINOR')}.${part('PATCH')}`;
}

/** @returns the directory of headers of exactly this version on this machine */
export function findHeaders(version, prefixes = [process.config.variables.node_prefix, path.dirname(path.dirname(process.execPath))]) {
  return prefixes
    .filter((prefix) => typeof prefix === 'string')
    .map((prefix) => path.join(prefix, 'include', 'node'))
    .find((directory) => versionOf(directory) === version);
}

/**
 * @returns the image to build on, and why it is another one than was asked for
 * @throws when the image cannot be run, or the one with headers cannot be built
 */
export function prepareNodeImage(image = NODE_IMAGE, prefixes = undefined) {
  if (runIn(image, 'test', '-e', `${IMAGE_HEADERS}/node.h`).status === 0) return { image };
  const version = runIn(image, 'node', '-p', 'process.version').stdout.trim();
  const headers = findHeaders(version, prefixes);
  if (headers === undefined) return { image, note: `${image} has no Node headers and this machine has none of ${version}; npm has to fetch them` };
  const tag = `openclaw-sessions-node:${version.slice(1)}-headers`;
  const built = docker(['build', '--tag', tag, '--file', '-', headers], { input: `FROM ${image}\nCOPY . ${IMAGE_HEADERS}/\n` });
  if (built.status !== 0) throw new Error(`${tag} cannot be built:\n${built.stdout}${built.stderr}`);
  return { image: tag, note: `${image} has no Node headers; building on ${tag}, with those of ${headers}` };
}
