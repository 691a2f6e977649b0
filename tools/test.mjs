/**
 * `npm test [-- nx flags]`: set-up, every project's tests, and at the end `N passed, N failed`.
 *
 * Nx builds what the tests need, so that one project which cannot be built does not keep the others
 * from being tested.
 *
 * The counts are jest's own summaries, which Nx prints again when it answers from its cache. A task
 * that fails without failing a test (a build, a suite that cannot be loaded) counts as one failure:
 * the last line can never be green when the exit code is not.
 */
import { ROOT, prepareDependencies } from './setup.mjs';
import { installCommand, provide } from './setup/debian.mjs';
import { say } from './setup/say.mjs';
import { countResults } from './test/count-results.mjs';
import { spawn } from 'node:child_process';

/** A run that takes longer hangs: it is ended and counts as failed, so that nobody waits for it for ever. */
const RUN_MINUTES_MAX = readMinutes(process.env.TEST_MINUTES_MAX ?? '45');

function readMinutes(text) {
  const minutes = Number(text);
  // A timer takes no more than some 35,000 minutes.
  if (minutes > 0 && minutes <= 24 * 60) return minutes;
  say(`TEST_MINUTES_MAX must be a number of minutes above 0 and up to 1440, got ${JSON.stringify(text)}`);
  process.exit(1);
}

/**
 * Without these the crash tests that need them are skipped, each with a notice; without nats-server
 * the tests of the bus fail, because half of what they promise would be untested.
 */
const WANTED = [['strace', 'strace'], ['mkfs.ext4', 'e2fsprogs'], ['losetup', 'mount'], ['nats-server', 'nats-server'], ['ip', 'iproute2'], ['nft', 'nftables'], ['chromium', 'chromium'], ['script', 'bsdutils']];

if (!prepareDependencies()) {
  process.stdout.write('\n0 passed, 1 failed\n');
  process.exit(1);
}
const missing = provide(WANTED);
if (missing.length > 0) {
  const packages = [...new Set(missing.map(([, name]) => name))];
  say(`tests that need ${missing.map(([command]) => command).join(', ')} are skipped or fail; to run them, as root: ${installCommand(packages)}`);
}

const nx = ['node_modules/nx/dist/bin/nx.js', 'run-many', '-t', 'test', '--output-style=static', ...process.argv.slice(2)];
const child = spawn(process.execPath, nx, {
  cwd: ROOT,
  stdio: ['ignore', 'pipe', 'pipe'],
  // A process group of its own, so that all of it can be ended.
  detached: true,
  env: { ...process.env, NX_DAEMON: 'false', FORCE_COLOR: '0' },
});
let output = '';
for (const [from, to] of [[child.stdout, process.stdout], [child.stderr, process.stderr]]) {
  from.setEncoding('utf8').on('data', (text) => {
    output += text;
    to.write(text);
  });
}
const end = (signal) => {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It is gone already.
  }
};
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => end(signal));
const limit = setTimeout(() => {
  output += `\n${sayHanging()}\n`;
  end('SIGKILL');
}, RUN_MINUTES_MAX * 60_000);

/** Nx prints a task when it has ended: those that are missing have not. */
function sayHanging() {
  const ended = new Set([...output.matchAll(/> nx run ([\w-]+):test/g)].map(([, project]) => project));
  const asked = [...(/Running target test for [^\n]*\n\n((?:- [\w-]+\n)+)/.exec(output)?.[1] ?? '').matchAll(/- ([\w-]+)/g)].map(([, project]) => project);
  const sentence = `the tests did not end within ${RUN_MINUTES_MAX} minutes; not ended: ${asked.filter((project) => !ended.has(project)).join(', ') || 'unknown'}`;
  say(sentence);
  return sentence;
}

child.on('close', (code) => {
  clearTimeout(limit);
  const { passed, failed } = countResults(output, code === 0);
  process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
});
