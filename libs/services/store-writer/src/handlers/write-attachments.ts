/** WriteAttachments and DropAttachments: files of a spawn in the workspace of its agent. */
import { DropAttachmentsResponse, WriteAttachmentsResponse, type DropAttachmentsRequest, type WriteAttachmentsRequest } from '@sessions/contracts';
import type { OwnedAgent } from '../owned-agent';
import { dropSpawnFiles, relativeDirectory, sweepSpawnDrafts, writeSpawnFiles, type SpawnDirectory, type SpawnFile } from '../spawn-files';
import type { Uploads } from '../uploads';
import { workspaceOf } from '../workspace/agent-workspace';

/** @throws VALIDATION, IDEMPOTENCY_MISMATCH */
export function writeAttachments(agent: OwnedAgent, uploads: Uploads, request: WriteAttachmentsRequest): Promise<WriteAttachmentsResponse> {
  // The store is opened first: its directory holds the uploads.
  return agent.use(async (open) => {
    const files: SpawnFile[] = [];
    for (const { name, mimeType, content, uploadId } of request.files) {
      files.push({ name, mimeType, content: content ?? (uploadId === undefined ? Buffer.alloc(0) : await uploads.read(agent.agentId, uploadId)) });
    }
    const directory = directoryOf(agent, request.attachmentsId);
    await sweepSpawnDrafts(directory.workspace, Date.now());
    const written = await writeSpawnFiles(directory, files, agent.deps.config().tools.spawnAttachments);
    return WriteAttachmentsResponse.create({ epoch: open.store.epoch, storeSeq: open.seq, relDir: relativeDirectory(directory.id), files: [...written] });
  });
}

/** @throws VALIDATION */
export function dropAttachments(agent: OwnedAgent, request: DropAttachmentsRequest): Promise<DropAttachmentsResponse> {
  return agent.use(async (open) => {
    const dropped = await dropSpawnFiles(directoryOf(agent, request.attachmentsId));
    return DropAttachmentsResponse.create({ epoch: open.store.epoch, storeSeq: open.seq, dropped });
  });
}

/** @param id names the files of one spawn. */
export function directoryOf(agent: OwnedAgent, id: string): SpawnDirectory {
  return { workspace: workspaceOf(agent), id: id.toLowerCase() };
}
