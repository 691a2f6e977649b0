import fc from 'fast-check';
import { anyCharacters } from '@sessions/domain/testing';
import { EVENT_TYPES, JOB_TYPES, createSubjects, methodOfPath, subjectMatches, subjectToken } from './subjects';

const agentId = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,63}$/);
const method = fc.stringMatching(/^[A-Z][A-Za-z0-9]{0,30}$/);
const anyText = fc.string({ unit: anyCharacters, maxLength: 300 });
const subjects = createSubjects('sess');

describe('subject tokens', () => {
  it('are 26 characters of base32 for every text, and the same each time', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(subjectToken(text)).toMatch(/^[a-z2-7]{26}$/);
        expect(subjectToken(text)).toBe(subjectToken(text));
      }),
    );
  });

  it('differ for different texts', () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyText, { minLength: 2, maxLength: 50 }), (texts) => {
        const distinct = new Set(texts.map((text) => Buffer.from(text, 'utf8').toString('hex')));
        expect(new Set(texts.map(subjectToken)).size).toBe(distinct.size);
      }),
    );
  });

  it('are those of RFC 4648 over SHA-256', () => {
    // printf '' | sha256sum | xxd -r -p | base32 | tr A-Z a-z | cut -c1-26, and the same of "abc".
    expect(subjectToken('')).toBe('4oymiquy7qobjgx36tejs35zeq');
    expect(subjectToken('abc')).toBe('xj4bnp4pahh6uqkbidpf3lrceo');
  });
});

describe('subjects', () => {
  it('are read back as they were built', () => {
    fc.assert(
      fc.property(agentId, method, anyText, fc.constantFrom(...EVENT_TYPES), fc.constantFrom(...JOB_TYPES), (agent, name, key, event, job) => {
        expect(subjects.parse(subjects.router(name))).toEqual({ kind: 'rpc', service: 'router', method: name });
        expect(subjects.parse(subjects.storePool(name))).toEqual({ kind: 'rpc', service: 'storepool', method: name });
        expect(subjects.parse(subjects.store(agent, name))).toEqual({ kind: 'rpc', service: 'store', agentId: agent, method: name });
        expect(subjects.parse(subjects.run(key, name))).toEqual({ kind: 'rpc', service: 'run', token: subjectToken(key), method: name });
        expect(subjects.parse(subjects.writer(key, name))).toEqual({ kind: 'rpc', service: 'writer', token: subjectToken(key), method: name });
        expect(subjects.parse(subjects.event(agent, event, key))).toEqual({ kind: 'event', agentId: agent, type: event, token: subjectToken(key) });
        expect(subjects.parse(subjects.event(agent, event))).toEqual({ kind: 'event', agentId: agent, type: event, token: undefined });
        expect(subjects.parse(subjects.job(job, agent))).toEqual({ kind: 'job', type: job, agentId: agent });
      }),
    );
  });

  it('hold nothing of a key, and never a wildcard or a blank', () => {
    fc.assert(
      fc.property(agentId, anyText, (agent, key) => {
        const subject = subjects.event(agent, 'changed', key);
        expect(subject.split('.')).toHaveLength(5);
        expect(subject).toMatch(/^[a-z0-9_.-]+$/);
      }),
    );
  });

  it('are covered by the patterns that select them, and by no other', () => {
    fc.assert(
      fc.property(agentId, agentId, anyText, anyText, (agent, other, key, otherKey) => {
        const subject = subjects.event(agent, 'message', key);
        const covers = (selection: Parameters<typeof subjects.events>[0]) => subjectMatches(subjects.events(selection), subject);
        expect(covers({})).toBe(true);
        expect(covers({ agentId: agent, type: 'message', sessionKey: key })).toBe(true);
        expect(covers({ type: 'tool' })).toBe(false);
        expect(covers({ agentId: other })).toBe(other === agent);
        expect(covers({ sessionKey: otherKey })).toBe(subjectToken(otherKey) === subjectToken(key));
        expect(subjectMatches(subjects.jobs('turn'), subjects.job('turn', agent))).toBe(true);
        expect(subjectMatches(subjects.jobs('delivery'), subjects.job('turn', agent))).toBe(false);
      }),
    );
  });

  it('are undefined for what is none of them', () => {
    for (const text of ['', 'sess', 'other.rpc.router.X', 'sess.rpc.store.Main.GetEntry', 'sess.rpc.run.short.SteerTurn',
      'sess.events.main.gossip._', 'sess.events.main.changed.short', 'sess.jobs.turn', 'sess.jobs.turn.main.more',
      'sess.rpc.router.lower', 'sess.rpc.storepool']) {
      expect(subjects.parse(text)).toBeUndefined();
    }
  });

  it('refuse a prefix, an agent id or a method that is no token', () => {
    for (const prefix of ['', 'a.b', 'a b', '*', '>']) expect(() => createSubjects(prefix)).toThrow('prefix');
    for (const agent of ['', 'Main', 'a.b', '*', '>']) expect(() => subjects.store(agent, 'GetEntry')).toThrow('agent id');
    for (const name of ['', 'getEntry', 'Get.Entry', '*']) expect(() => subjects.router(name)).toThrow('method');
  });

  it('take the method from the path of a call', () => {
    expect(methodOfPath('/sessions.v1.StoreService/PatchEntry')).toBe('PatchEntry');
  });
});

describe('patterns', () => {
  it('match by token: * one, > one or more at the end', () => {
    expect(subjectMatches('a.*.c', 'a.b.c')).toBe(true);
    expect(subjectMatches('a.*', 'a.b.c')).toBe(false);
    expect(subjectMatches('a.>', 'a.b.c')).toBe(true);
    expect(subjectMatches('a.>', 'a')).toBe(false);
    expect(subjectMatches('a.b', 'a.b.c')).toBe(false);
    expect(subjectMatches('a.b.c', 'a.b')).toBe(false);
    expect(subjectMatches('a.>.c', 'a.b.c')).toBe(false);
  });
});
