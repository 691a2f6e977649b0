import { SessionError } from '@sessions/domain';
import { describeWorkerError } from './worker-error';

const failed = (code: string, message: string): Error => Object.assign(new Error(message), { code });
const INDEX = '/state/agents/main/sessions/.store/index.sqlite';

it('names the index that has no room, and what to do', () => {
  expect(describeWorkerError(failed('SQLITE_FULL', 'database or disk is full'), INDEX)).toEqual({
    reason: 'DISK_FULL',
    message: `the session index ${INDEX} cannot be written: database or disk is full`,
    facts: { code: 'SQLITE_FULL', path: INDEX },
    hint: 'free some room on the disk of /state/agents/main/sessions/.store',
  });
  expect(describeWorkerError(failed('SQLITE_READONLY', 'attempt to write a readonly database'), INDEX)).toMatchObject({ reason: 'READ_ONLY', message: expect.stringContaining(INDEX) as unknown });
});

it('passes on what is told already, and of other errors what they say', () => {
  expect(describeWorkerError(new SessionError('VALIDATION', 'no', { hint: 'do', facts: { a: 1 } }), INDEX)).toEqual({ reason: 'VALIDATION', message: 'no', facts: { a: 1 }, hint: 'do' });
  expect(describeWorkerError('odd', undefined)).toEqual({ reason: 'INTERNAL', message: 'odd', facts: { code: null } });
});
