/**
 * A state directory as years of other programs leave it: the recorded entries of every kind in one
 * store, values in spellings that a parser would not give back, and files that are nobody's business.
 */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rawMembers } from './raw-json';
import { sessionsDir, writeFile } from './scene';
import type { Scene } from './scene';

/** Entries whose values change when they are parsed and printed again; the text is what counts. */
export const STRANGE_ENTRIES: Readonly<Record<string, string>> = {
  'agent:main:telegram:direct:numbers': `{
    "sessionId": "0190aaaa-0000-7000-8000-0000000000a1",
    "updatedAt": 1780300000000,
    "someFloat": 1.0,
    "tooLarge": 1e400,
    "beyondDoubles": 12345678901234567890,
    "negativeZero": -0.0,
    "exponent": 1E+2,
    "nested": { "deep": [1.0, { "id": 12345678901234567890 }, -0, 1e-400] }
  }`,
  'agent:main:telegram:direct:escapes': `{ "sessionId": "0190aaaa-0000-7000-8000-0000000000a2", "updatedAt": 1780300000000,
      "slashes": "a\\/b\\/c", "letters": "\\u0041\\u00e9\\ud83d\\ude00", "lone": "\\ud800", "control": "\\u0000\\b\\f\\t", "both": "é😀\u2028",
      "\\u0069nner \\"key\\"": {"\\u0061": [ ], "b":{ }, "c" : [1,2 ,3]}, "__proto__": {"polluted": true}, "constructor": 1 }`,
  // Keys that UTF-8 cannot hold, escaped in the file; they differ in that half character alone.
  'agent:main:telegram:direct:half-\ud800': '{ "sessionId": "0190aaaa-0000-7000-8000-0000000000a4", "updatedAt": 1780300000000, "which": 1.0 }',
  'agent:main:telegram:direct:half-\ud801': '{ "sessionId": "0190aaaa-0000-7000-8000-0000000000a5", "updatedAt": 1780300000000, "which": 2.0 }',
};

/** Files below the state directory that no rule of ours knows. */
const FOREIGN_FILES: Readonly<Record<string, string | Uint8Array>> = {
  'agents/main/sessions/notes.txt': 'call Ada\r\n',
  'agents/main/sessions/.hidden': 'x',
  'agents/main/sessions/binary.bin': Uint8Array.from({ length: 512 }, (_, at) => at % 256),
  'agents/main/sessions/sessions.json.bak.1': '{"agent:main:main":{}}',
  'agents/main/sessions/sessions.json.4242.7f0c0000-0000-4000-8000-00000000000f.tmp': '{"half',
  'agents/main/sessions/0190aaaa-0000-7000-8000-0000000000ff.jsonl': '{"type":"session","version":3,"id":"0190aaaa-0000-7000-8000-0000000000ff","timestamp":"2026-05-01T00:00:00.000Z","cwd":"/"}\n{"half a line',
  'agents/main/sessions/0190aaaa-0000-7000-8000-000000000077.jsonl.corrupt-2026-05-01T00-00-00.000Z-0a1b2c3d.jsonl': 'not json\n',
  [`agents/main/sessions/skills-prompts/sha256/ab/${'ab'.repeat(32)}.txt`]: 'You know how to knit.\n'.repeat(40),
  'agents/main/sessions/old stuff/readme.md': '# mine',
  'agents/main/agent/openclaw-agent.sqlite': 'SQLite format 3\0 not really',
  'agents/main/agent/auth-profiles.json': '{ "profiles": {} }',
  'cron/runs/nightly.jsonl': '{"runId":"1"}\n',
  'identity/device.json': '{"deviceId":"d"}',
  'credentials/telegram.json': '{}',
};

/** Every message of a session stays with it however long ago the last one was. */
const CONFIG = `// Kept as it is: a comment of mine.
{
  agents: { defaults: { model: { primary: 'openai/gpt-5' } }, list: [{ id: 'main', default: true }, { id: 'work' }, { id: 'ops' }, { id: 'quiet' }] },
  session: { dmScope: 'per-channel-peer', reset: { mode: 'idle', idleMinutes: 0 } },
  plugins: { entries: { weather: { enabled: true } } },
}
`;

/** @returns the state directory */
export function foreignState(scene: Scene): string {
  const stateDir = scene.fixture('full');
  const dir = sessionsDir(stateDir);
  const file = join(dir, 'sessions.json');
  const entries = [
    ...rawMembers(readFileSync(file, 'utf8')),
    ...rawMembers(readFileSync(join(sessionsDir(scene.fixture('odd')), 'sessions.json'), 'utf8')),
    ...Object.entries(STRANGE_ENTRIES),
  ];
  const simple = scene.fixture('simple');
  const simpleKey = 'agent:main:telegram:dm:42';
  entries.push([simpleKey, rawMembers(readFileSync(join(sessionsDir(simple), 'sessions.json'), 'utf8')).get(simpleKey) ?? '']);
  writeFileSync(file, `{\n${entries.map(([key, text]) => `  ${JSON.stringify(key)}: ${text}`).join(',\n')}\n}`, { mode: 0o600 });
  const simpleFile = '0b6c0000-0000-4000-8000-000000000001.jsonl';
  writeFileSync(join(dir, simpleFile), readFileSync(join(sessionsDir(simple), simpleFile)));

  for (const [path, content] of Object.entries(FOREIGN_FILES)) writeFile(join(stateDir, path), content);
  mkdirSync(join(dir, 'empty directory'));
  symlinkSync('notes.txt', join(dir, 'link to notes'));
  writeFileSync(join(stateDir, 'openclaw.json'), CONFIG, { mode: 0o600 });
  return stateDir;
}
