import fc from 'fast-check';
import { anyCharacters } from '../testing/text-arbitraries';
import { headerOf, parseTranscriptLine } from './parse-line';
import { TRANSCRIPT_VERSION, injectedMessageLine, sessionHeaderLine, simpleMessageLine, userMessageLine } from './record';

const AT = Date.UTC(2026, 5, 1, 9, 0, 1);

describe('a line that is built', () => {
  it('may be the header of a transcript', () => {
    const line = sessionHeaderLine({ sessionId: 's', nowMs: AT, cwd: '~/p', sessionKey: 'agent:main:main', parentSession: 'q' });
    expect(JSON.parse(line)).toEqual({ type: 'session', version: TRANSCRIPT_VERSION, id: 's', timestamp: '2026-06-01T09:00:01.000Z', cwd: '~/p', sessionKey: 'agent:main:main', parentSession: 'q' });
    expect(headerOf(parseTranscriptLine(line, 1))).toMatchObject({ version: 3, sessionId: 's', sessionKey: 'agent:main:main', parentSession: 'q', atMs: AT });
  });

  it('may be a message of the user, its text a block', () => {
    expect(JSON.parse(userMessageLine({ id: '9f0c11aa', parentId: null, nowMs: AT, content: 'Plan', idempotencyKey: 'k' }))).toEqual({
      type: 'message', id: '9f0c11aa', parentId: null, timestamp: '2026-06-01T09:00:01.000Z',
      message: { role: 'user', content: [{ type: 'text', text: 'Plan' }], timestamp: AT, idempotencyKey: 'k' },
    });
  });

  it('may be a message of the assistant that no model wrote, under its label', () => {
    const line = injectedMessageLine({ id: 'a', parentId: 'b', nowMs: AT, content: 'done', label: 'Note' });
    expect(JSON.parse(line)).toMatchObject({ parentId: 'b', message: { role: 'assistant', content: [{ type: 'text', text: '[Note]\n\ndone' }], stopReason: 'injected' } });
  });

  it('may be a simple line, which has no id', () => {
    expect(JSON.parse(simpleMessageLine('user', 'hi', AT))).toEqual({ role: 'user', content: 'hi', timestamp: '2026-06-01T09:00:01.000Z' });
  });

  it('is one line and is read back, whatever the text', () => {
    const texts = fc.string({ unit: anyCharacters });
    fc.assert(
      fc.property(texts, (content) => {
        for (const line of [userMessageLine({ id: 'a', parentId: 'b', nowMs: AT, content }), simpleMessageLine('assistant', content, AT)]) {
          expect(line).not.toMatch(/[\n\r]/);
          expect(parseTranscriptLine(line, 2)).toMatchObject({ ok: true, type: 'message', atMs: AT });
          expect(JSON.stringify(JSON.parse(line))).toContain(JSON.stringify(content).slice(1, -1));
        }
      }),
    );
  });
});
