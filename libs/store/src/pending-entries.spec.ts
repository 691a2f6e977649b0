import { PendingEntries } from './pending-entries';

describe('entries on their way to the index', () => {
  it('are seen before the index has them, the newest text and a removal included', () => {
    const pending = new PendingEntries(() => 0);
    pending.set('key', '{"label":"one"}', 1);
    pending.set('key', '{"label":"two"}', 2);
    expect(pending.get('key')).toMatchObject({ text: '{"label":"two"}' });
    expect(pending.keyWhere('label', 'two')).toBe('key');
    expect(pending.keyWhere('label', 'one')).toBeUndefined();
    pending.set('key', undefined, 3);
    expect(pending.get('key')?.text).toBeUndefined();
    expect(pending.isPending('key')).toBe(true);
  });

  it('are forgotten by an edit from outside only once the index has them', () => {
    let applied = 1;
    const pending = new PendingEntries(() => applied);
    pending.set('old', '{}', 1);
    pending.set('new', '{}', 2);
    pending.clear();
    expect(pending.get('old')).toBeUndefined();
    expect(pending.get('new')).toBeDefined();
    applied = 2;
    expect(pending.isPending('new')).toBe(false);
  });

  it('never let what the index said hide something newer', () => {
    const pending = new PendingEntries(() => 0);
    pending.set('key', '{"n":2}', 2);
    pending.remember('key', '{"n":1}');
    expect(pending.get('key')?.text).toBe('{"n":2}');
  });

  it('stay within their bound, and what the index lacks stays whatever the bound', () => {
    const pending = new PendingEntries(() => 3000);
    for (let seq = 1; seq <= 3500; seq += 1) pending.set(`key-${seq}`, '{}', seq);
    for (let seq = 3001; seq <= 3500; seq += 1) expect(pending.get(`key-${seq}`)).toBeDefined();
    expect(Array.from({ length: 3000 }, (_, index) => pending.get(`key-${index + 1}`)).filter((entry) => entry !== undefined).length).toBeLessThanOrEqual(1000);
  });
});
