import fc from 'fast-check';
import { parseConfig } from './parse-config';

const sections = ['session', 'agents', 'tools', 'gateway', 'hooks', 'cron', 'models', 'messages', 'bus', 'bindings', 'channels', 'commands'];

describe('parseConfig', () => {
  it('answers any JSON with a configuration or with problems, never with an exception', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...sections), fc.jsonValue({ maxDepth: 4 })), (raw) => {
        const result = parseConfig(raw);
        expect(result.ok || result.problems.length > 0).toBe(true);
      }),
    );
  });

  it('never turns a written limit into a smaller one than it says', () => {
    fc.assert(
      fc.property(fc.oneof(fc.double(), fc.string(), fc.integer(), fc.constantFrom('0', '', '1d', '-1d', null, true)), (pruneAfter) => {
        const result = parseConfig({ session: { maintenance: { pruneAfter } } });
        if (!result.ok) return;
        const { pruneAfterMs } = result.config.session.maintenance;
        const zero = Number(String(pruneAfter).replace(/(ms|s|m|h|d)$/i, '')) === 0;
        expect(pruneAfterMs === 0).toBe(zero);
      }),
    );
  });
});
