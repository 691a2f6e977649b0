import { FRAME_BYTES_MAX } from './connection-bounds';
import { PIECE_FRAME_BYTES_MAX, SMALL_FRAME_BYTES_MAX, frameBytesMax, readLargeFrame } from './frame-bounds';
import { SERVED_METHODS } from './methods';

/** What is no JSON behind its beginning: only who does not read it knows whose it is. */
const unreadable = (beginning: string, bytes: number): Buffer => Buffer.from(beginning.padEnd(bytes, 'x'));
const whole = (frame: Record<string, unknown>, bytes: number): Buffer => Buffer.from(JSON.stringify(frame).padEnd(bytes, ' '));
const request = (method: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({ type: 'req', id: 'q', method, ...more });

describe('the bound of a frame', () => {
  it('is large for messages and tools with attachments alone', () => {
    const above = (bytes: number): string[] => SERVED_METHODS.filter((method) => frameBytesMax(method) > bytes);
    expect(above(PIECE_FRAME_BYTES_MAX).sort()).toEqual(['agent', 'chat.send', 'sessions.send', 'sessions.steer', 'tools.invoke']);
    expect(above(SMALL_FRAME_BYTES_MAX)).toContain('sessions.import.chunk');
    expect(frameBytesMax('chat.send')).toBe(FRAME_BYTES_MAX);
    // The largest piece of an upload, with room for what is around it.
    expect(PIECE_FRAME_BYTES_MAX).toBeGreaterThan((768 * 1024 * 4) / 3 + 64 * 1024);
  });

  it('is held against what the beginning says, before the frame is read', async () => {
    const bytes = SMALL_FRAME_BYTES_MAX + 1;
    for (const beginning of [
      '{"type":"req","id":"q","method":"sessions.list","params":{"search":"',
      ' {\n "id" : "q" ,\t"method" : "sessions\\u002elist" , "params": [',
      '{"method":"sessions.list","id":"q","type":"req","params":',
    ]) {
      expect(await readLargeFrame(unreadable(beginning, bytes))).toEqual({
        kind: 'too-large',
        id: 'q',
        error: {
          code: 'INVALID_REQUEST',
          message: `the frame of sessions.list has ${bytes} bytes, more than ${SMALL_FRAME_BYTES_MAX}`,
          details: { reason: 'TOO_LARGE', method: 'sessions.list', bytes, bound: SMALL_FRAME_BYTES_MAX },
          retryable: false,
        },
      });
    }
    expect(await readLargeFrame(unreadable('{"type":"req","id":"q","method":"chat.send","params":', bytes))).toEqual({ kind: 'not-json' });
  });

  it('holds too where the beginning does not say whose frame it is, or says something else', async () => {
    const bytes = SMALL_FRAME_BYTES_MAX + 1;
    const params = { search: 'y'.repeat(2000) };
    const late = { type: 'req', params, id: 'q', method: 'sessions.list' };
    const long = { type: 'req', id: 'i'.repeat(2000), method: 'sessions.list' };
    const twice = Buffer.from(JSON.stringify(request('chat.send', { params })).replace(/\}$/, ',"method":"sessions.list"}').padEnd(bytes, ' '));
    for (const frame of [whole(late, bytes), whole(long, bytes), twice]) expect(await readLargeFrame(frame)).toMatchObject({ kind: 'too-large', error: { details: { method: 'sessions.list', bytes } } });
  });

  it('lets through what is within it, and says of what is no request what is wrong with it', async () => {
    expect(await readLargeFrame(whole(request('sessions.list'), SMALL_FRAME_BYTES_MAX))).toMatchObject({ kind: 'request', frame: { id: 'q', method: 'sessions.list' } });
    expect(await readLargeFrame(whole(request('chat.send'), 2 * SMALL_FRAME_BYTES_MAX))).toMatchObject({ kind: 'request', frame: { method: 'chat.send' } });
    expect(await readLargeFrame(whole({ type: 'req', id: 5, method: 'sessions.list' }, 2 * SMALL_FRAME_BYTES_MAX))).toMatchObject({ kind: 'invalid', id: 5 });
    expect(await readLargeFrame(Buffer.from('{"type":'))).toEqual({ kind: 'not-json' });
    for (const odd of ['[', '"', '{"id":"\\', '{"id":"\\q","method":"x",', '']) expect(await readLargeFrame(unreadable(odd, SMALL_FRAME_BYTES_MAX + 1))).toEqual({ kind: 'not-json' });
  });
});
