'use strict';
/*
 * Lists a small indexed store with the bundle `start`, and keeps in `cache` what V8 has compiled by
 * then. Run by the build, in a process of its own: node warm-start.cjs <start> <cache> <store bundle> <directory>
 */
const { mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { dirname, join } = require('node:path');
const { setFlagsFromString } = require('node:v8');
const { Script } = require('node:vm');

const ENTRIES = 20;
const [start, cache, storeBundle, directory] = process.argv.slice(2);

async function makeStore() {
  const sessionsFile = join(directory, 'agents', 'main', 'sessions', 'sessions.json');
  mkdirSync(dirname(sessionsFile), { recursive: true });
  const entries = Array.from({ length: ENTRIES }, (_, index) => [
    `agent:main:telegram:${index % 2 === 0 ? 'direct' : 'group'}:${index}`,
    { sessionId: `s${index}`, updatedAt: index, label: 'name', model: 'gpt-5', modelProvider: 'openai', inputTokens: 1, outputTokens: 1, totalTokens: 300, totalTokensFresh: true, contextTokens: 200000, systemSent: true },
  ]);
  writeFileSync(sessionsFile, JSON.stringify(Object.fromEntries(entries)));
  const { openStore } = require(storeBundle);
  const store = await openStore({ agentId: 'main', sessionsFile, instance: 'build', transport: 'standalone', clock: { nowMs: () => Date.now() } });
  await store.close();
}

void makeStore().then(() => {
  Object.assign(process.env, { OPENCLAW_STATE_DIR: directory, HOME: directory });
  process.argv = [process.argv[0], start, 'sessions', '--json'];
  const script = new Script(readFileSync(start, 'latin1'), { filename: start });
  process.once('exit', () => {
    // The listing turns optimising off; V8 takes compiled code only from under its own flags.
    setFlagsFromString('--opt');
    writeFileSync(cache, script.createCachedData());
  });
  script.runInThisContext()(exports, createRequire(start), module, start, dirname(start));
});
