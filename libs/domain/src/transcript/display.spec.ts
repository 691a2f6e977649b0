import { DISPLAY_MESSAGE_BYTES_MAX, OVERSIZED_PLACEHOLDER, displayMessage, displayText, isSilentReply } from './display';

const shown = (text: string): string => displayText(text, 'assistant');

describe('displayText', () => {
  it.each([
    ['a delivery directive', '[[reply_to_current]] Done.', 'Done.'],
    ['a directive with an id, in any case', 'Done. [[ Reply_To: 4711 ]]', 'Done.'],
    ['a directive amid text', 'One [[audio_as_voice]] two', 'One two'],
    ['a tool call', 'Let me see.\n<tool_call>{"name":"read"}</tool_call>', 'Let me see.'],
    ['several calls in one', '<function_calls>\n<invoke name="x"></invoke>\n</function_calls>Ok', 'Ok'],
    ['a call with a prefix and attributes', '<x:tool_call id="1">[1]</x:tool_call> Ok', 'Ok'],
    ['a call that was cut off', 'Wait <tool_call>{"name":"re', 'Wait'],
    ['a control token', 'Hello<|im_end|>', 'Hello'],
    ['a wide control token', '<｜tool▁calls▁begin｜>Hello', 'Hello'],
    ['the injected time', '[Wed 2026-03-11 23:51 PDT] Hello', 'Hello'],
  ])('hides %s', (_, text, expected) => expect(shown(text)).toBe(expected));

  it.each([
    'Use `[[reply_to_current]]` for that.',
    '```xml\n<tool_call>{"name":"read"}</tool_call>\n```',
    'A <tool_call> tag holds the call.',
    'a <| b |> c',
    '[2026-03-11] minutes',
    '[[link]] a < b | c > d',
    '  spaces stay  ',
  ])('shows %j as it is', (text) => expect(shown(text)).toBe(text));

  it('shows what a person wrote, without the injected time', () => {
    expect(displayText('[Wed 2026-03-11 23:51 PDT] see <tool_call>{}</tool_call> [[reply_to_current]]', 'user')).toBe('see <tool_call>{}</tool_call> [[reply_to_current]]');
    expect(displayText('[Wed 2026-03-11 23:51 PDT] raw', 'toolResult')).toBe('[Wed 2026-03-11 23:51 PDT] raw');
  });
});

describe('isSilentReply', () => {
  it('is an answer whose only text is the silent word', () => {
    expect(isSilentReply({ role: 'assistant', content: ' no_reply\n' })).toBe(true);
    expect(isSilentReply({ role: 'assistant', content: [{ type: 'thinking', thinking: 'hm' }, { type: 'text', text: 'NO_REPLY' }] })).toBe(true);
  });

  it('is nothing else', () => {
    expect(isSilentReply({ role: 'user', content: 'NO_REPLY' })).toBe(false);
    expect(isSilentReply({ role: 'assistant', content: 'NO_REPLY, as agreed' })).toBe(false);
    expect(isSilentReply({ role: 'assistant', content: [] })).toBe(false);
    expect(isSilentReply({ role: 'assistant', content: [{ type: 'text', text: 'NO_REPLY' }, { type: 'toolCall', id: '1', name: 'x', arguments: {} }] })).toBe(false);
  });
});

describe('displayMessage', () => {
  it('leaves out silent replies', () => expect(displayMessage({ role: 'assistant', content: 'NO_REPLY' })).toBeUndefined());

  it('gives the same object where nothing is hidden', () => {
    const message = { role: 'assistant', content: [{ type: 'text', text: 'Hi' }, { type: 'toolCall', id: '1', name: 'x', arguments: {} }] };
    expect(displayMessage(message)).toBe(message);
  });

  it('changes only texts', () => {
    const call = { type: 'toolCall', id: '1', name: '[[reply_to_current]]', arguments: {} };
    expect(displayMessage({ role: 'assistant', usage: { totalTokens: 1 }, content: [{ type: 'text', text: 'Hi<|eot|>' }, call] })).toEqual({ role: 'assistant', usage: { totalTokens: 1 }, content: [{ type: 'text', text: 'Hi' }, call] });
  });

  it('hides the injected time before the first text only', () => {
    const quoted = { type: 'text', text: '[Wed 2026-03-11 23:51 PDT] quoted' };
    expect(displayMessage({ role: 'user', content: [{ type: 'text', text: '[Wed 2026-03-11 23:51 PDT] Hi' }, quoted] })).toEqual({ role: 'user', content: [{ type: 'text', text: 'Hi' }, quoted] });
  });

  it('puts a placeholder for a message above the bound, and keeps its identity', () => {
    const message = { role: 'toolResult', toolCallId: 'c', content: 'x', timestamp: 5, __openclaw: { id: 'a', seq: 3 } };
    expect(displayMessage(message, DISPLAY_MESSAGE_BYTES_MAX)).toBe(message);
    expect(displayMessage(message, DISPLAY_MESSAGE_BYTES_MAX + 1)).toEqual({ role: 'toolResult', toolCallId: 'c', timestamp: 5, content: [{ type: 'text', text: OVERSIZED_PLACEHOLDER }], __openclaw: { id: 'a', seq: 3, truncated: true, reason: 'oversized' } });
  });
});
