import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

interface Counts {
  readonly passed: number;
  readonly failed: number;
}

// jest cannot load ES modules: the function is asked in a process of its own.
function countResults(output: string, succeeded: boolean): Counts {
  const source = pathToFileURL(path.join(__dirname, 'count-results.mjs')).href;
  const script = `
    import { countResults } from ${JSON.stringify(source)};
    import { text } from 'node:stream/consumers';
    const { output, succeeded } = JSON.parse(await text(process.stdin));
    console.log(JSON.stringify(countResults(output, succeeded)));`;
  const answer = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    input: JSON.stringify({ output, succeeded }),
    encoding: 'utf8',
  });
  return JSON.parse(answer) as Counts;
}

const summary = (suites: string, tests: string): string => `\nTest Suites: ${suites}\nTests:       ${tests}\nTime: 1 s\n`;

describe('countResults', () => {
  it('adds the passed tests of all projects', () => {
    const output = `${summary('2 passed, 2 total', '7 passed, 7 total')}> nx run bus:test  [local cache]${summary('1 passed, 1 total', '5 passed, 5 total')}`;
    expect(countResults(output, true)).toEqual({ passed: 12, failed: 0 });
  });

  it('counts failed tests, and leaves skipped ones out of both', () => {
    const output = summary('1 failed, 1 passed, 2 total', '2 failed, 1 skipped, 9 passed, 12 total');
    expect(countResults(output, false)).toEqual({ passed: 9, failed: 2 });
  });

  it('counts a suite that could not be loaded', () => {
    expect(countResults(summary('1 failed, 1 passed, 2 total', '4 passed, 4 total'), false)).toEqual({ passed: 4, failed: 1 });
  });

  it('counts a build that failed', () => {
    const output = `${summary('1 passed, 1 total', '4 passed, 4 total')}\nFailed tasks:\n\n- store:build\n- bus:test\n`;
    expect(countResults(output, false)).toEqual({ passed: 4, failed: 1 });
  });

  it('never reports zero failures for a run that failed', () => {
    expect(countResults('nothing that can be read', false)).toEqual({ passed: 0, failed: 1 });
  });

  it('reads summaries with colours and prefixes', () => {
    const output = 'bus: \u001b[1mTest Suites:\u001b[22m \u001b[32m1 passed\u001b[39m, 1 total\nbus: \u001b[1mTests:\u001b[22m       \u001b[32m3 passed\u001b[39m, 3 total\n';
    expect(countResults(output, true)).toEqual({ passed: 3, failed: 0 });
  });
});
