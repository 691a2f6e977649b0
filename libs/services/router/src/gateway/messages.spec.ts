import { TranscriptRecord } from '@sessions/contracts';
import { messagesOf } from '../tools/messages-of';
import { toClientMessage } from './messages';

it('shows a message that is nested without end as far as it can be sent', () => {
  const lineJson = Buffer.from(`{"type":"message","id":"a","message":{"role":"assistant","content":[{"type":"toolCall","id":"t","name":"read","arguments":{"deep":${'['.repeat(50_000)}${']'.repeat(50_000)}}}]}}`);
  expect(JSON.stringify(toClientMessage({ lineJson, recordId: 'a', messageSeq: 1 }))).toContain('"name":"read"');
  expect(JSON.stringify(messagesOf([TranscriptRecord.create({ lineJson })]))).toContain('"name":"read"');
});
