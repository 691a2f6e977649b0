import fc from 'fast-check';
import type { JsonObject } from '../json';
import { nativeEntries } from '../testing/entry-arbitraries';
import { forkEntry } from './fork-entry';
import { cronRunEntry, resetEntry, selectedModel, type ResetReason } from './reset-entry';

const REASONS: readonly ResetReason[] = ['new', 'reset', 'clear', 'daily', 'idle', 'cron-run'];
const KEY = 'agent:main:main';
const request = (reason: ResetReason, nowMs = 5_000) => ({ key: KEY, reason, sessionId: 'new-id', sessionFile: 'new-id.jsonl', nowMs });

const FULL: JsonObject = {
  sessionId: 'old-id', sessionFile: 'old-id.jsonl', updatedAt: 1, sessionStartedAt: 1, lastInteractionAt: 1,
  label: 'mine', origin: { provider: 'telegram' }, chatType: 'direct', parentSessionKey: 'agent:main:x', compactionCheckpoints: [{ checkpointId: 'c' }],
  thinkingLevel: 'high', fastMode: true, verboseLevel: 'on', reasoningLevel: 'on', elevatedLevel: 'ask', execHost: 'node', sendPolicy: 'deny', groupActivation: 'always', queueMode: 'collect',
  providerOverride: 'openai', modelOverride: 'gpt', modelOverrideSource: 'user', authProfileOverride: 'work',
  inputTokens: 5, outputTokens: 6, totalTokens: 11, totalTokensFresh: false, systemSent: true, abortedLastRun: true, cacheRead: 3,
  status: 'done', startedAt: 1, endedAt: 2, runtimeMs: 1, estimatedCostUsd: 0.1, skillsSnapshot: {}, systemPromptReport: {},
  compactionCount: 3, memoryFlushAt: 9, memoryFlushCompactionCount: 3, acp: {}, cliSessionIds: {}, pluginThing: { x: 1 },
};

const applied = (entry: JsonObject, patch: { set: JsonObject; clear: readonly string[] }): JsonObject =>
  Object.fromEntries(Object.entries({ ...entry, ...patch.set }).filter(([name]) => !patch.clear.includes(name)));

describe('resetEntry', () => {
  it.each(REASONS)('keeps what the user chose, stores where it came from and clears what told of the old transcript (%s)', (reason) => {
    const after = applied(FULL, resetEntry(FULL, request(reason)));
    expect(after).toEqual({
      sessionId: 'new-id', sessionFile: 'new-id.jsonl', updatedAt: 5_000, sessionStartedAt: 5_000, lastInteractionAt: 5_000,
      previousSessionId: 'old-id', lastResetAt: 5_000, lastResetReason: reason, usageFamilyKey: KEY, usageFamilySessionIds: ['old-id', 'new-id'],
      label: 'mine', origin: { provider: 'telegram' }, chatType: 'direct', parentSessionKey: 'agent:main:x', compactionCheckpoints: [{ checkpointId: 'c' }],
      thinkingLevel: 'high', fastMode: true, verboseLevel: 'on', reasoningLevel: 'on', elevatedLevel: 'ask', execHost: 'node', sendPolicy: 'deny', groupActivation: 'always', queueMode: 'collect',
      providerOverride: 'openai', modelOverride: 'gpt', modelOverrideSource: 'user', authProfileOverride: 'work',
      inputTokens: 0, outputTokens: 0, totalTokens: 0, totalTokensFresh: true, systemSent: false, abortedLastRun: false, compactionCount: 0, pluginThing: { x: 1 },
    });
  });

  it('replaces the model when one is asked for', () => {
    const after = applied(FULL, resetEntry(FULL, { ...request('new'), model: { wanted: 'anthropic/opus', defaultModel: undefined } }));
    expect(after).toMatchObject({ providerOverride: 'anthropic', modelOverride: 'opus', modelOverrideSource: 'user' });
    expect(after).not.toHaveProperty('authProfileOverride');
  });

  it('names the model that the next run will use: the chosen one, else the configured one', () => {
    const configured = { provider: 'local', model: 'small' };
    expect(selectedModel({ model: 'of-the-last-run', modelProvider: 'x' }, configured)).toEqual({ modelProvider: 'local', model: 'small' });
    expect(selectedModel(FULL, configured)).toEqual({ modelProvider: 'openai', model: 'gpt' });
    expect(selectedModel({ modelOverride: 'a/b/c' }, configured)).toEqual({ modelProvider: 'a', model: 'b/c' });
    expect(selectedModel({ modelOverride: 'bare' }, configured)).toEqual({ modelProvider: 'local', model: 'bare' });
    expect(selectedModel({ providerOverride: 'router', modelOverride: 'a/b' }, undefined)).toEqual({ modelProvider: 'router', model: 'a/b' });
    expect(selectedModel({}, undefined)).toEqual({});
  });

  it('makes a row for a key without one', () => {
    expect(resetEntry(undefined, request('reset')).set).toMatchObject({ sessionId: 'new-id', lastResetReason: 'reset' });
    expect(resetEntry(undefined, request('reset')).set).not.toHaveProperty('previousSessionId');
  });

  it('never sets and clears one member, names every id of a chain of resets and keeps unknown members', () => {
    fc.assert(
      fc.property(nativeEntries, fc.array(fc.constantFrom(...REASONS), { minLength: 1, maxLength: 6 }), (start, reasons) => {
        let entry = { ...start, sessionId: 'id-0', usageFamilySessionIds: undefined } as JsonObject;
        reasons.forEach((reason, index) => {
          const patch = resetEntry(entry, { ...request(reason, index), sessionId: `id-${String(index + 1)}` });
          expect(patch.clear.filter((name) => Object.hasOwn(patch.set, name))).toEqual([]);
          entry = applied(entry, patch);
        });
        expect(entry['usageFamilySessionIds']).toEqual(Array.from({ length: reasons.length + 1 }, (_, index) => `id-${String(index)}`));
        expect(entry).toMatchObject({ previousSessionId: `id-${String(reasons.length - 1)}`, lastResetReason: reasons.at(-1) });
      }),
    );
  });
});

describe('cronRunEntry and forkEntry', () => {
  const run = { sessionId: 'r', sessionFile: 'r.jsonl', nowMs: 9 };

  it('takes toggles, label and a chosen model into a cron run, nothing else', () => {
    expect(Object.keys(cronRunEntry(FULL, run)).sort()).toEqual(
      ['sessionId', 'sessionFile', 'updatedAt', 'sessionStartedAt', 'lastInteractionAt', 'systemSent', 'abortedLastRun', 'label', 'thinkingLevel', 'fastMode', 'verboseLevel', 'providerOverride', 'modelOverride', 'modelOverrideSource', 'authProfileOverride'].sort(),
    );
    expect(cronRunEntry({ ...FULL, modelOverrideSource: 'auto' }, run)).not.toHaveProperty('modelOverride');
  });

  it('gives a fork the style and model of its parent, a denied policy, and no rights', () => {
    const child = forkEntry(FULL, { ...run, parentKey: KEY, given: { label: 'child' } });
    expect(child).toMatchObject({ sessionId: 'r', parentSessionKey: KEY, label: 'child', thinkingLevel: 'high', modelOverride: 'gpt', sendPolicy: 'deny' });
    for (const name of ['elevatedLevel', 'execHost', 'origin', 'queueMode', 'groupActivation', 'status', 'totalTokens', 'acp', 'pluginThing']) expect(child).not.toHaveProperty(name);
    expect(forkEntry({ ...FULL, sendPolicy: 'allow' }, { ...run, parentKey: KEY })).not.toHaveProperty('sendPolicy');
  });
});
