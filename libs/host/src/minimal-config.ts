/**
 * The configuration that a first start writes: a generated token, and, where there is nothing yet that
 * anybody could be talking to, the echo as model, so that a newcomer's first message is answered.
 *
 * Written beside its name, synced, and then linked to it: a crash leaves the file complete or
 * absent, and one that is already there is never overwritten, not even by two starts at once.
 * The file is readable by its owner only (0600), a directory made for it likewise (0700).
 */
import { errorCode } from './error-code';
import { makeDirectory } from './make-directory';
import { SessionError } from '@sessions/domain';
import { randomBytes } from 'node:crypto';
import { link, open, rm } from 'node:fs/promises';
import path from 'node:path';

export type MinimalConfig =
  | { readonly created: true; readonly token: string }
  /** There is a configuration already; it was not touched. */
  | { readonly created: false };

export interface MinimalConfigOptions {
  /** Agents answer with what they hear. Default false: messages are kept and nobody answers. */
  readonly withEcho?: boolean;
}

const TOKEN_BYTES = 24;
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

const ECHO = `  // "demo/echo" says back what it hears and needs no key. Name your own model here, as "provider/model",
  // and where it is under models.providers.
  agents: { defaults: { model: "demo/echo" } },
`;

const contents = (token: string, withEcho: boolean): string => `// Written at the first start. JSON5: comments and trailing commas are welcome.
{
  gateway: {
    // Clients of the gateway send this token; keep it to yourself.
    auth: { mode: "token", token: "${token}" },
  },
${withEcho ? ECHO : ''}}
`;

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeSynced(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', FILE_MODE);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** @returns false when `to` exists. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/**
 * @param file absolute path of the configuration; its directory is made when missing
 * @throws READ_ONLY when the directory cannot be made or written, DISK_FULL when it is full
 */
export async function createMinimalConfig(file: string, { withEcho = false }: MinimalConfigOptions = {}): Promise<MinimalConfig> {
  const directory = path.dirname(file);
  const token = randomBytes(TOKEN_BYTES).toString('hex');
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await makeDirectory(directory, DIRECTORY_MODE);
    try {
      await writeSynced(draft, contents(token, withEcho));
      if (!(await linked(draft, file))) return { created: false };
    } finally {
      await rm(draft, { force: true });
    }
    await syncDirectory(directory);
    return { created: true, token };
  } catch (error) {
    const code = errorCode(error);
    const reason = code === 'ENOSPC' || code === 'EDQUOT' ? 'DISK_FULL' : 'READ_ONLY';
    throw new SessionError(reason, `a configuration cannot be written in ${directory} (${code ?? 'unknown error'})`, {
      facts: { directory, code: code ?? null },
      hint: 'make the directory writable, or choose another with OPENCLAW_STATE_DIR',
      cause: error,
    });
  }
}
