/** Lines that can be told apart, appended under keys of their own: sent again they count once. */
import { AppendRecordsRequest, StoreServiceService } from '@sessions/contracts';
import type { Client } from '@sessions/bus';

export interface NumberedLine {
  readonly key: string;
  readonly sessionId: string;
  readonly number: number;
}

/** Its text is `n<number>.` */
export function appendNumbered(client: Client<typeof StoreServiceService>, { key, sessionId, number }: NumberedLine): Promise<unknown> {
  const line = { type: 'message', message: { role: number % 2 === 0 ? 'user' : 'assistant', content: [{ type: 'text', text: `n${String(number)}.` }] } };
  const request = AppendRecordsRequest.create({ agentId: 'main', key, sessionId, lines: [Buffer.from(JSON.stringify(line))] });
  return client.appendRecords(request, { idempotencyKey: `line-${String(number)}` });
}
