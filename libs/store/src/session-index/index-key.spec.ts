import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { openStore } from '../open-store';
import { isOddIndexKey, keyLiteral, toIndexKey } from './index-key';

describe('a key that UTF-8 cannot hold', () => {
  it('comes back as the JSON text that it was, and every other key as itself', () => {
    for (const key of ['\ud800', 'agent:main:a\udc00"\\', 'agent:main:é😀', '']) {
      expect(JSON.parse(keyLiteral(toIndexKey(key)))).toBe(key);
    }
    expect(isOddIndexKey(toIndexKey('agent:main:\ud800'))).toBe(true);
    expect(toIndexKey('agent:main:é😀')).toBe('agent:main:é😀');
  });

  it('keeps its entry in the sessions file, apart from another such key, and is not listed', async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'odd-keys-'));
    const sessionsFile = path.join(dir, 'sessions.json');
    const store = { 'agent:main:a\ud800': { sessionId: 's1', updatedAt: 1 }, 'agent:main:a\ud801': { sessionId: 's2', updatedAt: 2 }, 'agent:main:b': { sessionId: 's3', updatedAt: 3 } };
    writeFileSync(sessionsFile, JSON.stringify(store, null, 2));
    try {
      const opened = await openStore({ agentId: 'main', sessionsFile, instance: 'test', transport: 'standalone', clock: { nowMs: () => 4 } });
      expect((await opened.list({ limit: 10 })).totalCount).toBe(1);
      await opened.mutate({ decide: () => ({ effects: [{ kind: 'putEntry', key: 'agent:main:b', set: { updatedAt: 4 } }], result: null }) });
      await opened.close();
      const written: unknown = JSON.parse(readFileSync(sessionsFile, 'utf8'));
      expect(written).toEqual({ ...store, 'agent:main:b': { sessionId: 's3', updatedAt: 4 } });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
