/** Erase: one session or one person leaves everything that the store keeps; nothing brings it back. */
import { EraseReport, EraseResponse, type EraseRequest } from '@sessions/contracts';
import { SessionError, keyTest, personOf, type EraseSubject, type SessionConfig } from '@sessions/domain';
import { eraseExports, eraseInStore, previewErasure, type EraseReport as Report } from '@sessions/store';
import type { OwnedAgent } from '../owned-agent';
import { interruptRuns } from '../stop-runs';
import type { Uploads } from '../uploads';
import { workspaceOf } from '../workspace/agent-workspace';
import { eraseSpawnFiles, type SpawnFilesPlace } from './erase-spawn-files';

/** @throws VALIDATION unless exactly one of key and peer is named; RUN_STILL_ACTIVE, SESSION_LOCKED, STORE_UNREADABLE, READ_ONLY, DISK_FULL */
export async function erase(agent: OwnedAgent, uploads: Pick<Uploads, 'drop'>, request: EraseRequest): Promise<EraseResponse> {
  const subject = subjectOf(request, agent.deps.config());
  const { agentId } = agent;
  const head = { agentId, storePath: agent.deps.sessionsFile(), dryRun: request.dryRun };
  if (!(await agent.hasStore())) return EraseResponse.create({ report: EraseReport.create(head) });
  if (request.dryRun) {
    const { nativeBinding } = agent.deps.openOptions();
    return agent.use(async ({ store, seq }) => {
      const preview = await previewErasure(store, { subject, nativeBinding });
      return EraseResponse.create({ epoch: store.epoch, storeSeq: seq, report: toReport(head, preview, await eraseBesideStore(agent, preview, true)) });
    });
  }
  // Nothing goes on that would write what is being erased.
  const { nativeBinding } = agent.deps.openOptions();
  const preview = await agent.use(({ store }) => previewErasure(store, { subject, nativeBinding }));
  for (const key of preview.keys) await interruptRuns(agent, { key, reason: 'delete', queuedToo: true });
  await uploads.drop(agentId);
  const besides = await eraseBesideStore(agent, preview, false);
  // The engine works on the closed store: what an owner holds open would be written again.
  const report = await agent.deps.stores.whileClosed(agentId, () => eraseInStore(agent.deps.openOptions(), subject));
  return agent.use(({ store, events, seq }) => {
    events.takeTurn().done(report.keys.map((key) => ({ kind: 'changed', key, sessionId: undefined, reason: 'delete', row: undefined })));
    return Promise.resolve(EraseResponse.create({ epoch: store.epoch, storeSeq: seq, report: toReport(head, report, besides) }));
  });
}

interface PlaceBeside extends Omit<SpawnFilesPlace, 'place'> {
  readonly place: 'attachments' | 'exports';
}

/** What the workspace has of them: files of spawns, and bundles that were exported. */
async function eraseBesideStore(agent: OwnedAgent, { subject, keys }: Pick<Report, 'subject' | 'keys'>, dryRun: boolean): Promise<PlaceBeside[]> {
  const spawnFiles = await eraseSpawnFiles(agent, keys, dryRun);
  const isMeant = keyTest(subject);
  const known = new Set(keys);
  const exported = await eraseExports(workspaceOf(agent), (key) => known.has(key) || isMeant(key), dryRun);
  return [...(spawnFiles === undefined ? [] : [spawnFiles]), ...(exported.files === 0 ? [] : [{ place: 'exports' as const, ...exported, records: 0 as const }])];
}

function subjectOf({ key, peer }: EraseRequest, config: SessionConfig): EraseSubject {
  const [only, other] = [key, peer].filter((word) => word !== undefined && word.trim() !== '');
  if (only === undefined || other !== undefined) throw new SessionError('VALIDATION', 'an erasure names a key or a peer, and not both');
  return key === undefined || key.trim() === '' ? personOf(only, config.session.identityLinks) : { kind: 'session', key: only };
}

function toReport(head: Pick<EraseReport, 'agentId' | 'storePath' | 'dryRun'>, { found, keys, sharedKeys, otherSpellings, copies, left, places, receipt }: Report, besides: readonly PlaceBeside[]): EraseReport {
  return EraseReport.create({ ...head, found: found || besides.length > 0, keys: [...keys], sharedKeys: [...sharedKeys], otherSpellings: [...otherSpellings], copies: [...copies], left: [...left], places: [...places, ...besides].map((place) => ({ ...place })), receipt });
}
