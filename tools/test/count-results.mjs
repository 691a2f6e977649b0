/** Counts of tests from the output of a run over many projects. */

const COLOUR = /\u001b\[[0-9;]*m/g;
/** jest: "Test Suites: 1 failed, 2 passed, 3 total" and "Tests: 1 failed, 1 skipped, 9 passed, 11 total". */
const SUMMARY = /^.*?\b(Test Suites|Tests):\s+((?:\d+ [a-z]+, )*\d+ total)\s*$/gm;
/** Nx lists these below "Failed tasks:" at the end. */
const FAILED_TASK = /^\s*-\s+([\w@/-]+:[\w-]+)\s*$/gm;

function countOf(word, summary) {
  return Number(new RegExp(`(\\d+) ${word}\\b`).exec(summary)?.[1] ?? 0);
}

/**
 * @param output all that the run printed
 * @param succeeded whether it exited 0
 * @returns passed: tests; failed: tests, or suites where more of those failed than tests, plus
 *   failed tasks that are not tests; at least 1 unless the run succeeded
 */
export function countResults(output, succeeded) {
  const plain = output.replace(COLOUR, '');
  let passed = 0;
  let failed = 0;
  let suitesFailed = 0;
  for (const [, what, summary] of plain.matchAll(SUMMARY)) {
    if (what === 'Test Suites') {
      suitesFailed = countOf('failed', summary);
    } else {
      passed += countOf('passed', summary);
      failed += Math.max(countOf('failed', summary), suitesFailed);
      suitesFailed = 0;
    }
  }
  const listed = plain.slice(Math.max(0, plain.lastIndexOf('Failed tasks:')));
  if (plain.includes('Failed tasks:')) {
    for (const [, task] of listed.matchAll(FAILED_TASK)) if (!task.endsWith(':test')) failed += 1;
  }
  return { passed, failed: succeeded ? failed : Math.max(1, failed) };
}
