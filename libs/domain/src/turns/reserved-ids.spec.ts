import fc from 'fast-check';
import { followUpRunId } from './inter-session';
import { reservedKey, reservedRunId } from './reserved-ids';

const step = fc.constantFrom('reply' as const, 'announce' as const, 'result' as const);

it('reserves every id of a run that follows another one', () => {
  fc.assert(fc.property(fc.string(), fc.array(step, { minLength: 1, maxLength: 4 }), (root, steps) => {
    expect(reservedRunId(steps.reduce(followUpRunId, root))).toMatch(/^ids that end in "\./);
  }));
});

it('leaves what clients call their messages', () => {
  for (const id of ['', 'k-1', 'result', 'x.results', 'x.reply', 'x.reply.one', 'x.announce.y', 'x.Result', crypto.randomUUID(), 'telegram/default/1/501#e1']) expect(reservedRunId(id)).toBeUndefined();
  for (const key of ['', 'k-1', 'run:1', 'turn:1', 'tool:1', 'telegram/default/1/501', 'build-8812', 'my run-end:1']) expect(reservedKey(key)).toBeUndefined();
  expect(reservedKey('run-end:x')).toBe('keys that begin with "run-end:" are the system\'s own');
});
