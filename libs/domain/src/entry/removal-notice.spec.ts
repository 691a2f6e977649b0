import { importedEntryText } from './import-entry';
import { removalAnnouncedAtMs, writeRemovalNotice } from './removal-notice';
import { resetEntry } from './reset-entry';
import { restoredEntry } from './restore-entry';

describe('the notice of a removal in an entry', () => {
  const row = { sessionId: 's', updatedAtMs: 5 };
  const members = { sessionId: 's', updatedAt: 5, ...writeRemovalNotice(row, 9) };

  it('is about the row as it stood, and about no other', () => {
    expect(removalAnnouncedAtMs(members, row)).toBe(9);
    expect(removalAnnouncedAtMs(members, { ...row, sessionId: 't' })).toBeUndefined();
    expect(removalAnnouncedAtMs(members, { ...row, updatedAtMs: 6 })).toBeUndefined();
    for (const removalNotice of [null, 9, [], {}, { announcedAt: 'soon', sessionId: 's', updatedAt: 5 }]) expect(removalAnnouncedAtMs({ removalNotice }, row)).toBeUndefined();
    expect(removalAnnouncedAtMs(writeRemovalNotice({ sessionId: null, updatedAtMs: null }, 9), { sessionId: null, updatedAtMs: null })).toBe(9);
  });

  it('goes with a reset, and does not come back with a restore or travel to another host', () => {
    expect(resetEntry(members, { key: 'k', reason: 'idle', sessionId: 't', sessionFile: 't.jsonl', nowMs: 10 }).clear).toContain('removalNotice');
    expect(restoredEntry({ kind: 'deleted', sessionId: 's', sessionFile: 's.jsonl', nowMs: 10, current: undefined, archived: members }).set).not.toHaveProperty('removalNotice');
    expect(restoredEntry({ kind: 'reset', sessionId: 's', sessionFile: 's.jsonl', nowMs: 10, current: members }).clear).toContain('removalNotice');
    const travelled = importedEntryText(JSON.stringify({ ...members, openRuns: [{}], openDeliveries: [{}], pendingCompaction: {}, label: 'x' }), { sessionId: 's', file: 's.jsonl' });
    expect(JSON.parse(travelled)).toEqual({ sessionId: 's', updatedAt: 5, label: 'x' });
  });
});
