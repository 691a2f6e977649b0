import { SMALL_FRAME_BYTES_MAX } from './frame-bounds';
import { FrameReader } from './frame-reader';

const frame = (id: string, bytes = 0): Buffer => Buffer.from(JSON.stringify({ type: 'req', id, method: 'chat.send', params: { file: 'QUJD'.repeat(bytes / 4) } }));

it('reads what comes behind a large frame after it, and hears nothing more until then', async () => {
  const told: string[] = [];
  const reader = new FrameReader({ pause: () => void told.push('pause'), resume: () => void told.push('resume') });
  expect(reader.readNow(frame('a'))).toMatchObject({ kind: 'request', frame: { id: 'a' } });
  const large = frame('b', 3 * SMALL_FRAME_BYTES_MAX);
  expect(reader.readNow(large)).toBeUndefined();
  const read = [large, frame('c'), Buffer.from('no frame'), frame('d', 2 * SMALL_FRAME_BYTES_MAX), frame('e')].map(async (bytes) => {
    expect(reader.readNow(frame('late')) === undefined).toBe(bytes !== large);
    const one = await reader.readInTurn(bytes);
    told.push(one.kind === 'request' ? one.frame.id : one.kind);
  });
  await Promise.all(read);
  expect(told.filter((word) => word !== 'pause')).toEqual(['b', 'c', 'not-json', 'd', 'resume', 'e']);
  expect(reader.readNow(frame('f'))).toMatchObject({ kind: 'request' });
});

it('refuses a frame with more structure than any request has, by its id', async () => {
  const reader = new FrameReader({ pause: () => undefined, resume: () => undefined });
  const deep = (bytes = 0): Buffer => Buffer.from(`{"type":"req","id":"q","method":"tools.invoke","params":{"file":"${'QUJD'.repeat(bytes / 4)}","args":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`);
  const refused = { kind: 'too-large', id: 'q', error: { code: 'INVALID_REQUEST', details: { reason: 'TOO_LARGE' } } };
  expect(reader.readNow(deep())).toMatchObject(refused);
  expect(await reader.readInTurn(deep(2 * SMALL_FRAME_BYTES_MAX))).toMatchObject(refused);
});
