import { parseTranscriptLine, type ParsedLine } from './parse-line';
import { LAST_MESSAGE_CHARS_MAX, TITLE_CHARS_MAX, cutText, derivedTitle, lastMessagePreview, messageText, previewOf } from './preview';

const line = (role: string, content: unknown, more: object = {}): ParsedLine => parseTranscriptLine(JSON.stringify({ type: 'message', id: 'a', parentId: null, message: { role, content, ...more } }), 2);

describe('messageText', () => {
  it('joins the texts of a message and nothing else', () => {
    expect(messageText({ content: [{ type: 'thinking', thinking: 'hm' }, { type: 'text', text: 'a' }, { type: 'image', data: '' }, { type: 'text', text: 'b' }, null] })).toBe('a\nb');
    expect(messageText({ content: 'plain' })).toBe('plain');
    expect(messageText({ content: 7 })).toBe('');
  });
});

describe('cutText', () => {
  it('leaves a text that fits', () => expect(cutText('abcdef', 6)).toBe('abcdef'));
  it('ends a cut text in dots within the bound', () => expect(cutText('abcdefg', 6)).toBe('abc...'));
  it('takes no surrogate pair apart', () => expect(cutText('ab😀defg', 6)).toBe('ab...'));
  it('takes no letter from its marks', () => expect(cutText('abe\u0301\u0302fgh', 7)).toBe('ab...'));
  it('takes no joined emoji apart', () => expect(cutText('a👩\u200D👩\u200D👧 family', 7)).toBe('a...'));
  it('leaves no blank before the dots', () => expect(cutText('ab cdefgh', 6)).toBe('ab...'));
});

describe('previewOf', () => {
  it('is one line of what people see', () => {
    expect(previewOf({ role: 'assistant', content: '[[reply_to_current]] One\n\n  two\t<|eot|>' }, 80)).toBe('One two');
  });

  it('is absent for a message without visible text', () => {
    for (const content of ['', ' \n', 'NO_REPLY', '<tool_call>{}</tool_call>', []]) expect(previewOf({ role: 'assistant', content }, 80)).toBeUndefined();
  });

  it('replaces halves of characters', () => expect(previewOf({ role: 'user', content: 'a\ud800b' }, 80)).toBe('a\uFFFDb'));
});

describe('derivedTitle', () => {
  it('is made from the first message of a person', () => {
    expect(derivedTitle([line('assistant', 'Welcome'), line('user', 'From elsewhere', { provenance: { kind: 'inter_session' } }), line('user', []), line('user', '[Wed 2026-03-11 23:51 PDT] Plan it'), line('user', 'Later')])).toBe('Plan it');
  });

  it('has a bound', () => {
    const title = derivedTitle([line('user', 'x'.repeat(500))]);
    expect(title).toBe(`${'x'.repeat(TITLE_CHARS_MAX - 3)}...`);
  });

  it('is absent without such a message', () => {
    expect(derivedTitle([parseTranscriptLine('{', 1), line('assistant', 'Hi'), line('toolResult', 'x')])).toBeUndefined();
  });
});

describe('lastMessagePreview', () => {
  it('is the newest text of user or assistant', () => {
    expect(lastMessagePreview([line('toolResult', 'bytes'), line('assistant', 'NO_REPLY'), line('assistant', [{ type: 'toolCall' }]), line('assistant', 'y'.repeat(500)), line('user', 'old')])).toBe(`${'y'.repeat(LAST_MESSAGE_CHARS_MAX - 3)}...`);
  });
});
