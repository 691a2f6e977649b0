import { mergeTouchedFiles, touchedFilesOf } from './touched-files';
import type { JsonObject } from '../json';

const call = (name: string, args: JsonObject, type = 'toolCall', member = 'arguments'): JsonObject => ({ type, id: 'c', name, [member]: args });
const message = (...content: JsonObject[]): JsonObject => ({ role: 'assistant', content });

describe('files that tool calls name', () => {
  it.each<[string, JsonObject, [string, string][]]>([
    ['a read', call('read', { path: ' a.ts ' }), [['a.ts', 'read']]],
    ['a write', call('Write', { file_path: '/w/b.ts' }, 'tool_use', 'input'), [['/w/b.ts', 'modified']]],
    ['an edit', call('edit', { filePath: 'c' }, 'toolUse', 'args'), [['c', 'modified']]],
    ['a patch as text', call('apply_patch', { input: '*** Begin Patch\n*** Update File: d/e.ts\n*** Move to: f.ts\n+x\n*** Delete File: g\n*** End Patch' }), [['d/e.ts', 'modified'], ['f.ts', 'modified'], ['g', 'modified']]],
    ['a patch as a list', call('apply_patch', { changes: [{ path: 'h', kind: { move_path: 'i' } }, 'no change', { path: 1 }] }), [['h', 'modified'], ['i', 'modified']]],
    ['another tool', call('exec', { path: 'a' }), []],
    ['a call without arguments', { type: 'toolCall', name: 'read' }, []],
    ['a path with a NUL', call('read', { path: 'a\0b' }), []],
    ['a path that is too long', call('read', { path: 'a'.repeat(4097) }), []],
    ['text', { type: 'text', text: 'read a' }, []],
  ])('%s', (_what, block, files) => {
    expect(touchedFilesOf(message(block)).map(({ path, kind }) => [path, kind])).toEqual(files);
  });

  it('of assistants only', () => {
    expect(touchedFilesOf({ role: 'user', content: [call('read', { path: 'a' })] })).toEqual([]);
    expect(touchedFilesOf({ role: 'assistant', content: 'read a' })).toEqual([]);
  });

  it('are listed once: modified before read, then by path', () => {
    const files = [{ path: 'b', kind: 'read' }, { path: 'a', kind: 'read' }, { path: 'b', kind: 'modified' }, { path: 'b', kind: 'read' }, { path: 'c', kind: 'read' }] as const;
    expect(mergeTouchedFiles(files)).toEqual([{ path: 'b', kind: 'modified' }, { path: 'a', kind: 'read' }, { path: 'c', kind: 'read' }]);
  });
});
