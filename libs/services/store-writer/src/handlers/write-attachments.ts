/** WriteAttachments and DropAttachments: files of a spawn in the workspace of its agent. */
import { DropAttachmentsResponse, WriteAttachmentsResponse, type DropAttachmentsRequest, type WriteAttachmentsRequest } from '@sessions/contracts';
import { SessionError, assertCreatableKey, isJsonObject, type JsonValue } from '@sessions/domain';
import { tellingOfDisk } from '../disk-refusal';
import type { OwnedAgent } from '../owned-agent';
import { assertSpawnFiles, dropSpawnFiles, receiptOf, relativeDirectory, sweepSpawnDrafts, writeSpawnFiles, type SpawnDirectory, type SpawnFile, type WrittenSpawnFile } from '../spawn-files';
import { ownedFiles, sweepUnclaimed } from '../sweep-spawns';
import type { Uploads } from '../uploads';
import { workspaceOf } from '../workspace/agent-workspace';

/** @throws VALIDATION, IDEMPOTENCY_MISMATCH; DISK_FULL, READ_ONLY, and then no file is there */
export function writeAttachments(agent: OwnedAgent, uploads: Uploads, request: WriteAttachmentsRequest): Promise<WriteAttachmentsResponse> {
  // The store is opened first: its directory holds the uploads.
  return agent.use(async (open) => {
    const files: SpawnFile[] = [];
    for (const { name, mimeType, content, uploadId } of request.files) {
      files.push({ name, mimeType, content: content ?? (uploadId === undefined ? Buffer.alloc(0) : await uploads.read(agent.agentId, uploadId)) });
    }
    const directory = directoryOf(agent, request.attachmentsId);
    const { childKey } = request;
    if (childKey !== undefined) assertCreatableKey(childKey);
    const nowMs = agent.deps.clock.nowMs();
    await sweepSpawnDrafts(directory.workspace, Date.now());
    await sweepUnclaimed(open, directory.workspace, nowMs);
    const owned = childKey === undefined ? undefined : await ownedFiles(open.store, childKey, directory.id);
    // A call that is made again: they are the sub-agent's, or went when it ended.
    if (owned !== undefined) return WriteAttachmentsResponse.create({ epoch: open.store.epoch, storeSeq: open.seq, relDir: relativeDirectory(directory.id), files: [...sameFiles(files, owned)] });
    const written = await open.spawnNotes.inTurn(async () => {
      const limits = agent.deps.config().tools.spawnAttachments;
      assertSpawnFiles(directory, files, limits);
      return tellingOfDisk('the attachments', async () => {
        if (childKey !== undefined) await open.spawnNotes.write({ id: directory.id, childKey, atMs: nowMs });
        return writeSpawnFiles(directory, files, limits);
      });
    });
    return WriteAttachmentsResponse.create({ epoch: open.store.epoch, storeSeq: open.seq, relDir: relativeDirectory(directory.id), files: [...written] });
  });
}

/** @throws IDEMPOTENCY_MISMATCH where the receipt is of other files */
function sameFiles(files: readonly SpawnFile[], receipt: JsonValue): readonly WrittenSpawnFile[] {
  const written = receiptOf(files);
  const hashesOf = (some: readonly (JsonValue | WrittenSpawnFile)[]): string => some.map((one) => (isJsonObject(one as JsonValue) ? `${String((one as WrittenSpawnFile).name)} ${String((one as WrittenSpawnFile).sha256)}` : '')).join('\n');
  const known = isJsonObject(receipt) && Array.isArray(receipt['files']) ? (receipt['files'] as readonly JsonValue[]) : [];
  if (hashesOf(written) !== hashesOf(known)) throw new SessionError('IDEMPOTENCY_MISMATCH', 'the attachments were written before with other files');
  return written;
}

/** @throws VALIDATION */
export function dropAttachments(agent: OwnedAgent, request: DropAttachmentsRequest): Promise<DropAttachmentsResponse> {
  return agent.use(async (open) => {
    const directory = directoryOf(agent, request.attachmentsId);
    const dropped = await open.spawnNotes.inTurn(() => dropSpawnFiles(directory));
    await open.spawnNotes.remove(directory.id);
    return DropAttachmentsResponse.create({ epoch: open.store.epoch, storeSeq: open.seq, dropped });
  });
}

/** @param id names the files of one spawn. */
export function directoryOf(agent: OwnedAgent, id: string): SpawnDirectory {
  return { workspace: workspaceOf(agent), id: id.toLowerCase() };
}
