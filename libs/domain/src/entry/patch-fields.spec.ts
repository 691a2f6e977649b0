import { SessionError } from '../errors';
import type { JsonObject } from '../json';
import { LABEL_LENGTH_MAX, PATCH_FIELDS, planEntryPatch, type PatchFacts } from './patch-fields';

const FACTS: PatchFacts = { key: 'agent:main:main', defaultModel: { provider: 'fake', model: 'fake-1' }, labelOwner: undefined };
const CHILD: PatchFacts = { ...FACTS, key: 'agent:main:subagent:1' };
const BASE = { sessionId: 's', updatedAt: 1 };
const OVERRIDDEN = { ...BASE, providerOverride: 'a', modelOverride: 'b', modelOverrideSource: 'user' };

/** The entry after the patch, without identity and time. */
function patched(fields: JsonObject, current: JsonObject | undefined = BASE, facts: PatchFacts = FACTS): JsonObject {
  const { set, clear } = planEntryPatch(fields, current, facts);
  const { sessionId: _id, updatedAt: _at, ...after } = { ...current, ...set };
  return Object.fromEntries(Object.entries(after).filter(([name]) => !clear.includes(name)));
}

function refusal(fields: JsonObject, current: JsonObject | undefined = BASE, facts: PatchFacts = FACTS): string {
  try {
    planEntryPatch(fields, current, facts);
  } catch (error) {
    if (error instanceof SessionError) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('a patch of toggles', () => {
  it.each([
    ['verboseLevel', 'bogus', 'invalid verboseLevel (use "on"|"off"|"full")'],
    ['verboseLevel', true, 'invalid verboseLevel (use "on"|"off"|"full")'],
    ['traceLevel', 'full', 'invalid traceLevel (use "on"|"off"|"raw")'],
    ['reasoningLevel', 'raw', 'invalid reasoningLevel (use "on"|"off"|"stream")'],
    ['responseUsage', ' ', 'invalid responseUsage (use "off"|"tokens"|"full")'],
    ['elevatedLevel', 'raw', 'invalid elevatedLevel (use "on"|"off"|"ask"|"full")'],
    ['execHost', 'x', 'invalid execHost (use "auto"|"sandbox"|"gateway"|"node")'],
    ['execSecurity', 'x', 'invalid execSecurity (use "deny"|"allowlist"|"full")'],
    ['execAsk', 'x', 'invalid execAsk (use "off"|"on-miss"|"always")'],
    ['execNode', ' ', 'invalid execNode: empty'],
    ['sendPolicy', 'on', 'invalid sendPolicy (use "allow"|"deny")'],
    ['groupActivation', 'x', 'invalid groupActivation (use "mention"|"always")'],
    ['fastMode', 'full', 'invalid fastMode (use true, false, or "auto")'],
    ['thinkingLevel', 'default', 'invalid thinkingLevel (use off|minimal|low|medium|high)'],
    ['model', ' ', 'invalid model: empty'],
    ['model', '/x', 'invalid model: /x'],
    ['model', 'x/', 'invalid model: x/'],
    ['label', '  ', 'invalid label: empty'],
    ['label', 5, 'invalid label: must be a string'],
    ['label', 'x'.repeat(LABEL_LENGTH_MAX + 1), 'invalid label: too long (max 512)'],
    ['bogus', 1, "unexpected property 'bogus'"],
    ['__proto__', 1, "unexpected property '__proto__'"],
    ['toString', 1, "unexpected property 'toString'"],
  ])('refuses %s %j with the measured sentence', (field, value, sentence) => {
    expect(refusal(JSON.parse(`{${JSON.stringify(field)}:${JSON.stringify(value)}}`) as JsonObject)).toBe(sentence);
  });

  it.each([
    ['verboseLevel', ' OFF ', 'off'], ['verboseLevel', 'yes', 'on'], ['verboseLevel', 'all', 'full'],
    ['reasoningLevel', 'draft', 'stream'], ['elevatedLevel', 'auto', 'full'], ['elevatedLevel', 'approve', 'ask'],
    ['responseUsage', 'on', 'tokens'], ['responseUsage', 'session', 'full'], ['sendPolicy', ' deny ', 'deny'], ['groupActivation', 'ALWAYS', 'always'],
    ['fastMode', 'ON', true], ['fastMode', false, false], ['fastMode', 'auto', 'auto'], ['execNode', ' n1 ', 'n1'],
    ['thinkingLevel', 'HIGH', 'high'], ['thinkingLevel', 'on', 'low'], ['thinkingLevel', 'ultrathink', 'high'], ['label', ' new one ', 'new one'],
  ])('stores %s %j as %j', (field, value, stored) => {
    expect(patched({ [field]: value })).toEqual({ [field]: stored });
  });

  it('removes the member for responseUsage off', () => {
    expect(patched({ responseUsage: 'off' }, { ...BASE, responseUsage: 'full' })).toEqual({});
  });

  it('accepts null for every field of an ordinary session, and clears what there is', () => {
    const stored = Object.fromEntries(['label', 'thinkingLevel', 'fastMode', 'verboseLevel', 'sendPolicy', 'execNode'].map((name) => [name, 'on']));
    const nulls = Object.fromEntries(PATCH_FIELDS.map((name) => [name, null]));
    expect(patched(nulls, { ...BASE, ...stored })).toEqual({});
  });

  it('does nothing when it names no field', () => {
    expect(planEntryPatch({}, undefined, FACTS)).toEqual({ set: {}, clear: [] });
  });
});

describe('a patch of the label', () => {
  it('is refused while another session has it, and accepted for the session that has it', () => {
    expect(refusal({ label: 'taken' }, BASE, { ...FACTS, labelOwner: 'agent:main:other' })).toBe('label already in use: taken');
    expect(patched({ label: 'mine' }, BASE, { ...FACTS, labelOwner: FACTS.key })).toEqual({ label: 'mine' });
  });

  it('takes the longest label', () => {
    expect(patched({ label: 'x'.repeat(LABEL_LENGTH_MAX) })['label']).toHaveLength(LABEL_LENGTH_MAX);
  });
});

describe('a patch of the thinking level', () => {
  const facts: PatchFacts = { ...FACTS, thinkingLevels: (model) => (model?.model === 'fake-1' ? ['off'] : ['off', 'minimal', 'low', 'medium', 'high']) };

  it('is judged by the model that the patch leaves', () => {
    expect(refusal({ thinkingLevel: 'bogus' }, BASE, facts)).toBe('invalid thinkingLevel (use off)');
    expect(refusal({ thinkingLevel: 'high' }, BASE, facts)).toBe('thinkingLevel "high" is not supported for fake/fake-1 (use off)');
    expect(refusal({ thinkingLevel: 'xhigh', model: 'q/r' }, BASE, facts)).toBe('thinkingLevel "xhigh" is not supported for q/r (use off|minimal|low|medium|high)');
    expect(patched({ thinkingLevel: 'high', model: 'q/r' }, BASE, facts)).toMatchObject({ thinkingLevel: 'high' });
  });

  it('lowers a stored level that the new model does not take', () => {
    expect(patched({ model: 'q/r' }, { ...BASE, thinkingLevel: 'xhigh' }, facts)).toMatchObject({ thinkingLevel: 'high', modelOverride: 'r' });
  });
});

describe('a patch of the model', () => {
  const switched = (provider: string, model: string): JsonObject => ({ providerOverride: provider, modelOverride: model, modelOverrideSource: 'user', liveModelSwitchPending: true });

  it.each([
    ['openai/gpt-5', switched('openai', 'gpt-5')],
    ['gpt-5', switched('fake', 'gpt-5')],
    ['a/b/c', switched('a', 'b/c')],
    ['OpenAI/GPT-5', switched('openai', 'GPT-5')],
    [' openai/gpt-5 ', switched('openai', 'gpt-5')],
    ['fake/fake-1', {}],
    ['fake-1', {}],
  ])('to %s is kept as an override unless it is the default', (model, expected) => {
    expect(patched({ model })).toEqual(expected);
  });

  it('to the default clears an override and lets a live run switch', () => {
    expect(patched({ model: 'fake/fake-1' }, OVERRIDDEN)).toEqual({ liveModelSwitchPending: true });
    expect(patched({ model: null }, { ...OVERRIDDEN, liveModelSwitchPending: true })).toEqual({});
  });

  it('takes what belonged to the model before with it, and nothing else', () => {
    const before = {
      ...OVERRIDDEN, model: 'b', modelProvider: 'a', contextTokens: 5, contextBudgetStatus: { route: 'fits' }, authProfileOverride: 'p', authProfileOverrideSource: 'user',
      fallbackNoticeReason: 'x', modelOverrideFallbackOriginModel: 'r', totalTokens: 5, estimatedCostUsd: 3, systemPromptReport: { a: 1 },
    };
    expect(patched({ model: 'z/y' }, before)).toEqual({ ...switched('z', 'y'), totalTokens: 5, estimatedCostUsd: 3, systemPromptReport: { a: 1 } });
  });

  it('to the one that is chosen already switches nothing, and makes the choice the user\'s', () => {
    expect(patched({ model: 'a/b' }, { ...OVERRIDDEN, modelOverrideSource: 'auto', model: 'b', modelProvider: 'a', authProfileOverride: 'z' })).toEqual({
      providerOverride: 'a', modelOverride: 'b', modelOverrideSource: 'user', model: 'b', modelProvider: 'a', authProfileOverride: 'z',
    });
    expect(patched({ model: 'a/b' }, { ...OVERRIDDEN, model: 'x', modelProvider: 'y', contextTokens: 3, authProfileOverride: 'z' })).toEqual({
      providerOverride: 'a', modelOverride: 'b', modelOverrideSource: 'user', authProfileOverride: 'z',
    });
  });
});

describe('a patch of what a spawn sets', () => {
  it.each([
    ['spawnedBy', 'x'], ['spawnDepth', 2], ['subagentRole', 'leaf'], ['subagentControlScope', 'children'],
    ['spawnedWorkspaceDir', '/w'], ['spawnedCwd', '/c'], ['inheritedToolAllow', ['a']], ['inheritedToolDeny', ['a']],
  ])('sets %s once, and only on spawned sessions', (field, value) => {
    expect(refusal({ [field]: value })).toBe(`${field} is only supported for subagent:* or acp:* sessions`);
    expect(patched({ [field]: value }, BASE, CHILD)).toEqual({ [field]: value });
    expect(patched({ [field]: value }, BASE, { ...FACTS, key: 'agent:main:acp:1' })).toEqual({ [field]: value });
    expect(patched({ [field]: value }, { ...BASE, [field]: value }, CHILD)).toEqual({ [field]: value });
    const other = field === 'spawnDepth' ? 7 : Array.isArray(value) ? ['b'] : field === 'subagentRole' ? 'orchestrator' : field === 'subagentControlScope' ? 'none' : 'other';
    expect(refusal({ [field]: other }, { ...BASE, [field]: value }, CHILD)).toBe(`${field} cannot be changed once set`);
    expect(refusal({ [field]: null }, { ...BASE, [field]: value }, CHILD)).toBe(`${field} cannot be cleared once set`);
    expect(patched({ [field]: null }, BASE, CHILD)).toEqual({});
  });

  it.each([
    ['spawnedBy', '  ', 'invalid spawnedBy: empty'],
    ['spawnDepth', -1, 'invalid spawnDepth (use an integer >= 0)'],
    ['spawnDepth', 1.5, 'invalid spawnDepth (use an integer >= 0)'],
    ['subagentRole', 'children', 'invalid subagentRole (use "orchestrator" or "leaf")'],
    ['subagentControlScope', 'leaf', 'invalid subagentControlScope (use "children" or "none")'],
    ['inheritedToolAllow', 'a', 'invalid inheritedToolAllow (use an array of tool names)'],
  ])('refuses %s %j', (field, value, sentence) => {
    expect(refusal({ [field]: value }, BASE, CHILD)).toBe(sentence);
  });

  it('stores tool names trimmed and once, and no empty list', () => {
    expect(patched({ inheritedToolAllow: ['a', 'b ', 'a', ' '] }, BASE, CHILD)).toEqual({ inheritedToolAllow: ['a', 'b'] });
    expect(patched({ inheritedToolAllow: [] }, BASE, CHILD)).toEqual({});
  });
});
