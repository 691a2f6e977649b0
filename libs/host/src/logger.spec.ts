import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import * as path from 'node:path';
import type { LogFields } from './log-fields';
import { createLogger, toTextLine } from './logger';
import { createRecordingLogger } from './recording-logger';
import { SessionError } from '@sessions/domain';

const PLANTED = 'planted-secret-5550001';

describe('createLogger', () => {
  it('prints a fixed sentence with the fields of the table', () => {
    const logger = createRecordingLogger('store-writer');
    logger.child({ agentId: 'main' }).info('store opened', { durationMs: 12, count: 3, seq: 9 });
    expect(logger.lines).toEqual([
      { level: 'info', time: expect.any(Number), service: 'store-writer', agentId: 'main', durationMs: 12, count: 3, seq: 9, msg: 'store opened' },
    ]);
  });

  it('drops every field that the table does not name', () => {
    const logger = createRecordingLogger();
    logger.info('message accepted', { text: PLANTED, token: PLANTED, sender: { id: PLANTED }, count: 1 } as LogFields);
    logger.child({ peer: PLANTED } as LogFields).info('message accepted');
    expect(JSON.stringify(logger.lines)).not.toContain(PLANTED);
    expect(logger.lines[0]).toMatchObject({ count: 1 });
  });

  it('drops a value of a named field that is neither text nor number', () => {
    const logger = createRecordingLogger();
    logger.info('message accepted', { reason: { text: PLANTED } } as unknown as LogFields);
    expect(JSON.stringify(logger.lines)).not.toContain(PLANTED);
  });

  it('hashes session keys at every level, the same key to the same hash', () => {
    const logger = createRecordingLogger();
    const sessionKey = `agent:main:telegram:direct:${PLANTED}`;
    logger.debug('list read', { sessionKey });
    logger.child({ sessionKey }).error('append failed');
    logger.info('list read', { sessionKey: 'agent:main:main' });
    expect(JSON.stringify(logger.lines)).not.toContain(PLANTED);
    const [one, two, other] = logger.lines.map((line) => line['sessionKeyHash']);
    expect(one).toMatch(/^[0-9a-f]{12}$/);
    expect(two).toBe(one);
    expect(other).not.toBe(one);
  });

  it('reduces errors to what and where, causes included', () => {
    const logger = createRecordingLogger();
    let syntax: unknown;
    try {
      JSON.parse(`${PLANTED}`);
    } catch (error) {
      syntax = error;
    }
    const errno = Object.assign(new Error(`open /x/${PLANTED}`), { code: 'ENOSPC', syscall: 'open' });
    logger.error('line skipped', { err: syntax });
    logger.error('append failed', { err: new SessionError('DISK_FULL', PLANTED, { cause: errno, facts: { key: PLANTED } }) });
    logger.error('append failed', { err: PLANTED });
    expect(JSON.stringify(logger.lines)).not.toContain(PLANTED);
    expect(logger.lines.map((line) => line['err'])).toMatchObject([
      { type: 'SyntaxError', stack: expect.stringContaining('at ') },
      { type: 'SessionError', reason: 'DISK_FULL', cause: { type: 'Error', code: 'ENOSPC', syscall: 'open' } },
      { type: 'string' },
    ]);
  });

  it('ends when causes form a ring', () => {
    const logger = createRecordingLogger();
    const ring: Error & { cause?: unknown } = new Error('a');
    ring.cause = ring;
    logger.error('append failed', { err: ring });
    expect(logger.lines).toHaveLength(1);
  });

  it('prints nothing below its level', () => {
    const lines: string[] = [];
    const logger = createLogger({ service: 's', level: 'warn', write: (line) => void lines.push(line) });
    logger.info('quiet');
    logger.warn('loud');
    expect(lines).toHaveLength(1);
  });

  it('prints text for a terminal: time, level, sentence, fields, frames below', () => {
    const lines: string[] = [];
    const logger = createLogger({ service: 's', format: 'text', write: (line) => void lines.push(line) });
    logger.error('append failed', { agentId: 'main', err: Object.assign(new Error('x'), { code: 'EIO' }) });
    expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT\S+Z error append failed service=s agentId=main err\.type=Error err\.code=EIO\n\s+at /);
    expect(toTextLine('{"level":"info","time":0,"service":"s","msg":"ready"}')).toBe('1970-01-01T00:00:00.000Z info  ready service=s\n');
  });
});

const FULL_DISK = '/dev/full';
/** Logs, waits until that has failed, logs again, and has something waiting when it ends. */
const CHILD = `
const { createLogger } = require(${JSON.stringify(path.join(__dirname, '..', 'dist', 'logger.js'))});
const logger = createLogger({ service: 's' });
logger.error('one');
setTimeout(() => {
  logger.error('two');
  console.log('still serving');
}, 300);
`;

(existsSync(FULL_DISK) ? it : it.skip)('goes on when its lines find no room on the disk', () => {
  const full = openSync(FULL_DISK, 'w');
  try {
    const { status, stdout } = spawnSync(process.execPath, ['-e', CHILD], { stdio: ['ignore', 'pipe', full], encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'still serving\n' });
  } finally {
    closeSync(full);
  }
});
