import fc from 'fast-check';
import { canSee, effectiveVisibility, matchesPattern, spawnAncestors, type Visibility } from './visibility';

const RANGES: readonly Visibility[] = ['self', 'tree', 'agent', 'all'];
const CALLER = { key: 'agent:ops:main', agentId: 'ops' };

const TARGETS = {
  itself: { key: 'agent:ops:main', agentId: 'ops', spawnedBy: [] },
  child: { key: 'agent:ops:subagent:1', agentId: 'ops', spawnedBy: ['agent:ops:main'] },
  grandchild: { key: 'agent:ops:subagent:2', agentId: 'ops', spawnedBy: ['agent:ops:subagent:1', 'agent:ops:main'] },
  foreignChild: { key: 'agent:lab:subagent:3', agentId: 'lab', spawnedBy: ['agent:ops:main'] },
  sibling: { key: 'agent:ops:telegram:direct:7', agentId: 'ops', spawnedBy: [] },
  siblingsChild: { key: 'agent:ops:subagent:4', agentId: 'ops', spawnedBy: ['agent:ops:telegram:direct:7'] },
  foreign: { key: 'agent:lab:main', agentId: 'lab', spawnedBy: [] },
  foreignSameRest: { key: 'agent:lab:subagent:5', agentId: 'lab', spawnedBy: ['agent:lab:main'] },
} as const;
type TargetName = keyof typeof TARGETS;

const GATES = {
  closed: { enabled: false, allow: ['*'] },
  empty: { enabled: true, allow: [] },
  oneSide: { enabled: true, allow: ['lab'] },
  otherSide: { enabled: true, allow: ['ops'] },
  both: { enabled: true, allow: ['ops', 'l*b'] },
  anybody: { enabled: true, allow: ['*'] },
} as const;
const OPEN: readonly string[] = ['both', 'anybody'];

describe('effectiveVisibility', () => {
  it.each([
    ['self', 'self', 'self', 'self'],
    ['tree', 'tree', 'tree', 'tree'],
    ['agent', 'agent', 'tree', 'agent'],
    ['all', 'all', 'tree', 'all'],
  ] as const)('%s is %s free, %s under a sandbox, %s where that may see all', (configured, free, spawned, all) => {
    expect(effectiveVisibility(configured, { isSandboxed: false, sandboxRange: 'spawned' })).toBe(free);
    expect(effectiveVisibility(configured, { isSandboxed: false, sandboxRange: 'all' })).toBe(free);
    expect(effectiveVisibility(configured, { isSandboxed: true, sandboxRange: 'spawned' })).toBe(spawned);
    expect(effectiveVisibility(configured, { isSandboxed: true, sandboxRange: 'all' })).toBe(all);
  });
});

describe('canSee', () => {
  /** What each range shows with the gate shut, and what an open gate adds. */
  const SHOWN: Readonly<Record<Visibility, readonly TargetName[]>> = {
    self: ['itself'],
    tree: ['itself', 'child', 'grandchild', 'foreignChild'],
    agent: ['itself', 'child', 'grandchild', 'foreignChild', 'sibling', 'siblingsChild'],
    all: ['itself', 'child', 'grandchild', 'foreignChild', 'sibling', 'siblingsChild'],
  };
  const ADDED: readonly TargetName[] = ['foreign', 'foreignSameRest'];

  const table = RANGES.flatMap((range) => Object.keys(GATES).map((gate) => [range, gate] as const));
  it.each(table)('range %s, gate %s', (range, gateName) => {
    const gate = GATES[gateName as keyof typeof GATES];
    const seen = (Object.keys(TARGETS) as TargetName[]).filter((name) => canSee(range, gate, CALLER, TARGETS[name]));
    expect(seen).toEqual(range === 'all' && OPEN.includes(gateName) ? [...SHOWN.all, ...ADDED] : SHOWN[range]);
  });

  it('never shows less in a wider range, nor more in a sandbox', () => {
    fc.assert(fc.property(fc.constantFrom(...Object.values(TARGETS)), fc.constantFrom(...Object.values(GATES)), fc.boolean(), (target, gate, isSandboxed) => {
      const seen = RANGES.map((range) => canSee(range, gate, CALLER, target));
      expect(seen).toEqual([...seen].sort((left, right) => Number(left) - Number(right)));
      const narrowed = RANGES.map((range) => canSee(effectiveVisibility(range, { isSandboxed, sandboxRange: 'spawned' }), gate, CALLER, target));
      narrowed.forEach((sees, index) => expect(sees && !seen[index]).toBe(false));
    }));
  });

  it('knows a key in any spelling', () => {
    const target = { key: 'agent:ops:telegram:dm:7', agentId: 'ops', spawnedBy: [] };
    expect(canSee('self', GATES.closed, { key: 'agent:ops:telegram:direct:7', agentId: 'ops' }, target)).toBe(true);
  });
});

describe('matchesPattern', () => {
  it.each([['*', 'x', true], ['a*', 'abc', true], ['*c', 'abc', true], ['a*c', 'ac', true], ['a*a', 'a', false], ['a*b*c', 'a-b-c', true], ['a*b*c', 'acb', false], ['abc', 'ABC', true], ['a.c', 'abc', false], ['', 'a', false]] as const)('%s on %s: %s', (pattern, name, matches) => {
    expect(matchesPattern(pattern, name)).toBe(matches);
  });
});

describe('spawnAncestors', () => {
  it('follows the chain and ends at a circle', () => {
    const spawner = new Map([['c', 'b'], ['b', 'a'], ['x', 'y'], ['y', 'x']]);
    expect(spawnAncestors('c', (key) => spawner.get(key))).toEqual(['b', 'a']);
    expect(spawnAncestors('x', (key) => spawner.get(key))).toEqual(['y']);
    expect(spawnAncestors('n0', (key) => `n${String(Number(key.slice(1)) + 1)}`)).toHaveLength(64);
  });
});
