/** A run of 1 508 tool calls that dies between a call and its result, at each of them, and goes on afterwards. */
import { assistant, branchOf, nativeLines, toolCall, toolResult, userText } from '../testing/tool-arbitraries';
import { activeBranch } from '../transcript/active-branch';
import { parseTranscriptLine } from '../transcript/parse-line';
import { assembleContext, contextProblems, missingResults } from './assemble-context';

const CALLS = 1_508;
/** A first prompt is looked at whole at each so many deaths; every one is with the lines before it. */
const WHOLE_EVERY = 100;

it('has a valid next prompt after each death, and only appended lines in the file', () => {
  const messages = [userText('go'), ...Array.from({ length: CALLS }, (_, at) => [assistant('', [toolCall(`t${String(at)}`)]), toolResult(`t${String(at)}`)]).flat()];
  const whole = nativeLines(messages);
  for (let at = 0; at < CALLS; at += 1) {
    // Header, prompt, `at` whole calls, and a call without its result.
    const dead = whole.slice(0, 2 + 2 * at + 1);
    const seen = at % WHOLE_EVERY === 0 ? dead : [dead[0] as string, ...dead.slice(Math.max(1, dead.length - 9))];
    const missing = missingResults(branchOf(seen));
    expect(missing.map(({ toolCallId }) => toolCallId)).toEqual([`t${String(at)}`]);
    // As whoever goes on with the turn appends them: nothing before is touched.
    const parentId = (JSON.parse(dead.at(-1) ?? '{}') as { id: string }).id;
    const appended = [...missing.map((message, n) => JSON.stringify({ type: 'message', id: `r${String(n)}`, parentId, timestamp: '2026-06-01T09:00:00.000Z', message })), JSON.stringify({ type: 'message', id: 'next', parentId: 'r0', timestamp: '2026-06-01T09:00:01.000Z', message: userText('go on') })];
    const file = [...seen, ...appended].map((line) => `${line}\n`).join('');
    expect(file.startsWith(seen.map((line) => `${line}\n`).join(''))).toBe(true);
    const { path } = activeBranch(file.trimEnd().split('\n').map((line, index) => parseTranscriptLine(line, index + 1)));
    const next = assembleContext(path).map(({ message }) => message);
    expect(contextProblems(next)).toEqual([]);
    expect(next.at(-1)).toEqual(userText('go on'));
    expect(next.at(-2)).toMatchObject({ role: 'toolResult', toolCallId: `t${String(at)}`, isError: true });
    // The result that comes too late is recorded, and paired with nothing twice.
    const late = { type: 'message', id: 'late', parentId: 'next', timestamp: '2026-06-01T09:00:02.000Z', message: toolResult(`t${String(at)}`, 'late') };
    const afterLate = activeBranch([...file.trimEnd().split('\n'), JSON.stringify(late)].map((line, index) => parseTranscriptLine(line, index + 1)));
    expect(contextProblems(assembleContext(afterLate.path).map(({ message }) => message))).toEqual([]);
    expect(missingResults(path)).toEqual([]);
  }
});
