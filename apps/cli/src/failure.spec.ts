import { reportFailure, toSessionError } from './failure';
import { recordingIo } from './testing';
import { SessionError } from '@sessions/domain';

describe('a failure', () => {
  it('is a sentence with its next step on stderr', () => {
    const io = recordingIo();
    expect(reportFailure(io, new SessionError('SESSION_NOT_FOUND', 'No session found: k', { hint: 'Look at the list.' }), false)).toBe(1);
    expect(io.stdout()).toBe('');
    expect(io.stderr()).toBe('No session found: k\nLook at the list.\n');
  });

  it('is also one document on stdout with --json', () => {
    const io = recordingIo();
    reportFailure(io, new SessionError('STORE_UNREADABLE', 'broken', { facts: { path: 'p' } }), true);
    expect(JSON.parse(io.stdout())).toEqual({ ok: false, error: { code: 'UNAVAILABLE', message: 'broken', details: { reason: 'STORE_UNREADABLE', path: 'p' } } });
    expect(io.stderr()).toBe('broken\n');
  });

  it('never sends what it quotes to the terminal as a command', () => {
    const io = recordingIo();
    reportFailure(io, new SessionError('SESSION_NOT_FOUND', 'No session found: \u001b[2J'), false);
    expect(io.stderr()).toBe('No session found: \\u001b[2J\n');
  });

  it('keeps its reason when it comes from another bundled file', () => {
    class Foreign extends Error {
      override readonly name = 'SessionError';
      readonly reason = 'AGENT_UNKNOWN';
      readonly facts = { agentId: 'x' };
      readonly hint = 'h';
    }
    expect(toSessionError(new Foreign('who'))).toMatchObject({ reason: 'AGENT_UNKNOWN', message: 'who', facts: { agentId: 'x' }, hint: 'h' });
  });

  it('of the disk keeps its meaning, any other is INTERNAL', () => {
    expect(toSessionError(Object.assign(new Error('full'), { code: 'ENOSPC' })).reason).toBe('DISK_FULL');
    expect(toSessionError(new Error('odd')).reason).toBe('INTERNAL');
    expect(toSessionError('text').message).toBe('text');
  });
});
