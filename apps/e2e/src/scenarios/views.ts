/** What each door shows of the same sessions, brought to one form. */
import {
  DescribeSessionRequest, GetHistoryRequest, ListSessionsRequest, PatchSessionRequest, PreviewSessionsRequest, ResolveSessionRequest, SessionRow,
} from '@sessions/contracts';
import type {
  DescribeSessionResponse, GetHistoryResponse, ListSessionsResponse, PatchSessionResponse, PreviewSessionsResponse, ResolveSessionResponse, TranscriptRecord,
} from '@sessions/contracts';
import type { Door } from '../support/door';
import type { GatewaySocket } from '../support/gateway-socket';
import type { GrpcClient } from '../support/grpc-client';

export interface RowFacts {
  readonly key: string;
  readonly sessionId: string | undefined;
  readonly updatedAtMs: number | undefined;
  readonly label: string | undefined;
}

export interface PreviewFacts {
  readonly key: string;
  readonly status: string;
  readonly texts: readonly string[];
}

/** One client of the sessions, whatever it speaks. */
export interface View {
  readonly name: string;
  list(): Promise<readonly RowFacts[]>;
  /** undefined: no such session. */
  describe(key: string): Promise<RowFacts | undefined>;
  preview(keys: readonly string[]): Promise<readonly PreviewFacts[]>;
  /** The key of a session id; undefined: none has it. */
  resolve(sessionId: string): Promise<string | undefined>;
  /** @returns the label that holds afterwards */
  rename(key: string, label: string): Promise<string>;
  history(key: string): Promise<readonly string[]>;
}

interface JsonMessage {
  readonly content: readonly { readonly text: string }[];
}
interface JsonRow {
  readonly key: string;
  readonly sessionId?: string;
  readonly updatedAt?: number;
  readonly label?: string;
}

export const textOf = ({ content }: JsonMessage): string => content.map(({ text }) => text).join('');

const factsOfJson = ({ key, sessionId, updatedAt, label }: JsonRow): RowFacts => ({ key, sessionId, updatedAtMs: updatedAt, label });

function factsOfBytes(bytes: Uint8Array): RowFacts {
  const { key, sessionId, updatedAtMs, label } = SessionRow.decode(bytes);
  return { key, sessionId, updatedAtMs, label };
}

/** Text of a chat message; undefined for other lines. */
export function textOfRecord({ lineJson, messageSeq }: Pick<TranscriptRecord, 'lineJson' | 'messageSeq'>): string | undefined {
  return messageSeq === undefined ? undefined : textOf((JSON.parse(Buffer.from(lineJson).toString('utf8')) as { message: JsonMessage }).message);
}

export function socketView(name: string, socket: GatewaySocket): View {
  return {
    name,
    async list() {
      const { sessions } = await socket.call('sessions.list', { limit: 1000, includeGlobal: true, includeUnknown: true });
      return (sessions as JsonRow[]).map(factsOfJson);
    },
    async describe(key) {
      const { session } = await socket.call('sessions.describe', { key });
      return session === null ? undefined : factsOfJson(session as JsonRow);
    },
    async preview(keys) {
      const { previews } = await socket.call('sessions.preview', { keys });
      return (previews as { key: string; status: string; items: { text: string }[] }[]).map(({ key, status, items }) => ({ key, status, texts: items.map(({ text }) => text) }));
    },
    async resolve(sessionId) {
      return (await socket.call('sessions.resolve', { sessionId, allowMissing: true }))['key'] as string | undefined;
    },
    async rename(key, label) {
      return ((await socket.call('sessions.patch', { key, label }))['entry'] as { label: string }).label;
    },
    async history(sessionKey) {
      const { messages } = await socket.call('chat.history', { sessionKey, limit: 1000 });
      return (messages as JsonMessage[]).map(textOf);
    },
  };
}

export function grpcView(name: string, grpc: GrpcClient): View {
  return {
    name,
    async list() {
      const { encodedRows } = await grpc.call<ListSessionsResponse>('listSessions', ListSessionsRequest.create({ limit: 1000, allAgents: true, discover: true, includeGlobal: true, includeUnknown: true }));
      return encodedRows.map(factsOfBytes);
    },
    async describe(key) {
      const { encodedRow } = await grpc.call<DescribeSessionResponse>('describeSession', DescribeSessionRequest.create({ key }));
      return encodedRow === undefined ? undefined : factsOfBytes(encodedRow);
    },
    async preview(keys) {
      const { previews } = await grpc.call<PreviewSessionsResponse>('previewSessions', PreviewSessionsRequest.create({ keys: [...keys] }));
      return previews.map(({ key, status, items }) => ({ key, status, texts: items.map(({ text }) => text) }));
    },
    async resolve(sessionId) {
      return (await grpc.call<ResolveSessionResponse>('resolveSession', ResolveSessionRequest.create({ by: { $case: 'sessionId', value: sessionId }, allowMissing: true }))).key;
    },
    async rename(key, label) {
      const { entryJson } = await grpc.call<PatchSessionResponse>('patchSession', PatchSessionRequest.create({ key, patchJson: Buffer.from(JSON.stringify({ label })) }));
      return (JSON.parse(Buffer.from(entryJson).toString('utf8')) as { label: string }).label;
    },
    async history(key) {
      const items = await grpc.stream<GetHistoryResponse>('getHistory', GetHistoryRequest.create({ key }));
      return items.flatMap(({ item }) => (item?.$case === 'page' ? item.value.records.map(textOfRecord).filter((text) => text !== undefined) : []));
    },
  };
}

/** The HTTP door has the history alone. */
export async function httpHistory(door: Door, key: string): Promise<readonly string[]> {
  const { json } = await door.http(`/sessions/${encodeURIComponent(key)}/history`);
  return ((json?.['items'] ?? []) as JsonMessage[]).map(textOf);
}
