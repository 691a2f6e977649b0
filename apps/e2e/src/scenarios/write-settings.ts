/** The configuration of a deployment, and the port in it: the command line looks for the gateway there. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TOKEN } from '../support/scene';
import type { Settings } from './deployment';

/** Replaces `openclaw.json` as an editor does: whoever reads it meanwhile finds one or the other, whole. */
export function writeSettings(stateDir: string, port: number, settings: Settings): void {
  const file = join(stateDir, 'openclaw.json');
  writeFileSync(`${file}.next`, JSON.stringify({ ...settings, gateway: { port, auth: { mode: 'token', token: TOKEN }, ...(settings['gateway'] as object | undefined) } }), { mode: 0o600 });
  renameSync(`${file}.next`, file);
}
