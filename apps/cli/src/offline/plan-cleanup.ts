/** What a clean-up would do to one store, from its files: nothing is written, an owner may live beside it. */
import { nativeBindingPath } from './native-binding';
import type { StoreChoice } from './select-stores';
import { planTable } from '@sessions/domain';
import type { PlanTable, SessionConfig } from '@sessions/domain';
import { factsRequest, planStore, reportOf } from '@sessions/maintenance-scheduler';
import type { CleanupChoice } from '@sessions/maintenance-scheduler';
import type { CleanupReport, ReadFactsResponse } from '@sessions/contracts';
import { openFactsReader } from '@sessions/store';
import { factsOf } from '@sessions/store-writer';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';

export interface PlannedCleanup {
  readonly report: CleanupReport;
  readonly table: PlanTable;
}

/** @throws STORE_UNREADABLE */
export async function planCleanup(config: SessionConfig, { agentId, path }: StoreChoice, choice: CleanupChoice, nowMs: number): Promise<PlannedCleanup> {
  const occasion = { agentId, config, choice, nowMs, asker: 'person' as const };
  const planned = await planStore(occasion, factsFrom(agentId, path, nowMs, factsRequest(occasion)));
  return { report: reportOf(planned, config, choice, undefined), table: planTable(planned.plan, nowMs) };
}

async function* factsFrom(agentId: string, path: string, nowMs: number, request: ReturnType<typeof factsRequest>): AsyncGenerator<ReadFactsResponse> {
  if (!existsSync(dirname(path))) {
    const empty = { facts: { rows: nothing, dueRows: nothing, fileNames: nothing, neighbours: () => Promise.resolve([]), look: () => Promise.resolve([]), archiveRecords: nothing, isLockedByOthers: () => Promise.resolve(false) }, files: { readTranscript: () => Promise.resolve(undefined) } };
    yield* factsOf(empty, { storePath: path, refusal: undefined }, request);
    return;
  }
  const reader = await openFactsReader({ agentId, sessionsFile: path, nativeBinding: nativeBindingPath(), nowMs: () => nowMs });
  yield* factsOf(reader, { storePath: path, refusal: reader.refusal }, request, true);
}

async function* nothing(): AsyncGenerator<never> {
  // A store that is not there.
}
