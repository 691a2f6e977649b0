/** Files of a spawn, written by the owner of the child's store before the child is made. */
import { Attachment, DropAttachmentsRequest, WriteAttachmentsRequest } from '@sessions/contracts';
import type { SpawnAttachment } from '@sessions/domain';
import { uploaded } from '../handlers/deliver-to';
import type { ToolCall } from './tool-call';

export interface AttachmentReceipt {
  readonly count: number;
  readonly totalBytes: number;
  /** Inside the child's workspace. */
  readonly relDir: string;
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
}

/** @throws what the owner refuses with; then nothing is there */
export async function writeAttachments({ deps, context }: ToolCall, { agentId, childKey, spawnId, files }: { readonly agentId: string; readonly childKey: string; readonly spawnId: string; readonly files: readonly SpawnAttachment[] }): Promise<AttachmentReceipt> {
  const attachments = files.map(({ name, content, encoding, mimeType = 'application/octet-stream' }) => Attachment.create({ name, mimeType, content: Buffer.from(content, encoding) }));
  const sent = await uploaded(deps, { agentId, attachments }, context);
  const { relDir, files: written } = await deps.stores.mutate('writeAttachments', WriteAttachmentsRequest.create({ agentId, attachmentsId: spawnId, files: sent, childKey }), context, { part: 'attachments' });
  return { count: written.length, totalBytes: written.reduce((sum, { bytes }) => sum + bytes, 0), relDir, files: written.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 })) };
}

/** For a spawn that came to nothing. What cannot be removed stays, and is said. */
export async function dropAttachments({ deps, context }: ToolCall, agentId: string, { relDir }: AttachmentReceipt): Promise<void> {
  const attachmentsId = relDir.split('/').at(-1) ?? '';
  await deps.stores
    .mutate('dropAttachments', DropAttachmentsRequest.create({ agentId, attachmentsId }), context, { part: 'attachments.drop' })
    .catch((err: unknown) => deps.logger.warn('files of a refused spawn could not be removed', { agentId, err }));
}
