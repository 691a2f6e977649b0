/**
 * Cutting a transcript to its last 50 lines: time for each byte and extra memory, a long transcript
 * against a short one. What is cut is copied anew for each round, since the cut leaves the original as an archive.
 */
import { closeSync, copyFileSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { MESSAGE_BYTES, messageLine } from '../load.mjs';
import { ratioTo, valueOf } from '../results.mjs';
import { inTurn, runRole } from '../sampling.mjs';

export const name = 'truncate';
export const rows = [
  { what: 'truncating a long transcript to 50 lines, time for each byte', against: 'at 1 MiB', floor: 3, goal: 1.2 },
  { what: 'extra memory of truncating the long transcript (MiB)', against: '–', floor: 32, goal: 8 },
];

const ROUNDS = 3;
const LINES_KEPT = 50;
const SHORT_BYTES = 2 ** 20;
const LONG_BYTES = 2 ** 30;
const QUICK_BYTES = 64 * 2 ** 20;
const KEY = 'agent:main:dashboard:long';
const WARM_KEY = 'agent:main:dashboard:warm';

/** A transcript of about so many bytes. */
function write(file, bytes) {
  const handle = openSync(file, 'w');
  writeSync(handle, `${JSON.stringify({ type: 'session', version: 3, id: path.basename(file, '.jsonl'), timestamp: new Date(0).toISOString(), cwd: '/' })}\n`);
  let parentId = null;
  for (let number = 1, pieces = []; number * MESSAGE_BYTES <= bytes; number += 1) {
    const id = number.toString(16).padStart(8, '0');
    pieces.push(messageLine(id, parentId, 1_780_000_000_000), '\n');
    parentId = id;
    if (pieces.length < 2_000 && (number + 1) * MESSAGE_BYTES <= bytes) continue;
    writeSync(handle, pieces.join(''));
    pieces = [];
  }
  closeSync(handle);
}

export async function run({ quick, scratch }) {
  const longBytes = quick ? QUICK_BYTES : LONG_BYTES;
  const template = (bytes) => path.join(scratch, `template-${bytes}.jsonl`);
  for (const bytes of [SHORT_BYTES, longBytes]) write(template(bytes), bytes);
  const extra = [];
  let made = 0;
  const sample = async (bytes) => {
    const stateDir = path.join(scratch, `cut-${(made += 1)}`);
    const dir = path.join(stateDir, 'agents', 'main', 'sessions');
    mkdirSync(dir, { recursive: true });
    copyFileSync(template(bytes), path.join(dir, 'long.jsonl'));
    copyFileSync(template(SHORT_BYTES), path.join(dir, 'warm.jsonl'));
    writeFileSync(path.join(dir, 'sessions.json'), JSON.stringify({ [KEY]: { sessionId: 'long', updatedAt: 1 }, [WARM_KEY]: { sessionId: 'warm', updatedAt: 1 } }, null, 2));
    const { tookMs, extraBytes } = await runRole('truncating-owner', { stateDir, key: KEY, warmKey: WARM_KEY, maxLines: LINES_KEPT });
    rmSync(stateDir, { recursive: true, force: true });
    if (bytes === longBytes) extra.push(extraBytes / 2 ** 20);
    return tookMs / (bytes / 2 ** 20);
  };
  const [long, short] = await inTurn(ROUNDS, [() => sample(longBytes), () => sample(SHORT_BYTES)]);
  return [ratioTo(long, short, 'ms/MiB'), valueOf(extra, `extra memory of each cut: ${extra.map((mib) => mib.toFixed(1)).join(' ')} MiB`)];
}
