/**
 * The erasure of one session or one person from a store, from end to end.
 *
 *     dry run:  survey, while the store goes on
 *     real run: open → survey → order on disk → entries leave by mutations → close
 *               → lock → clear every place → scan every byte → receipt → the order leaves → unlock
 *
 * The order is durable before anything is touched; `openStore` carries out one that it finds before it
 * serves. Every step can be done again, so a process may die at any of them.
 */
import * as path from 'node:path';
import { SessionError, type EraseSubject } from '@sessions/domain';
import type { AgentStore } from '../agent-store';
import { nodeFileSystem, type FileSystem } from '../files/file-system';
import { storeLayout, type StoreLayout } from '../files/layout';
import { acquireOwnership } from '../files/owner-file';
import { IndexWorkerClient } from '../index-worker-client';
import type { OpenStoreOptions } from '../open-store';
import type { Effect } from '../types';
import type { ClearedStore } from './clear-places';
import { NO_SEEDS, appendReceipt, exactAsBefore, exactHashes, newOrder, orderFile, readOrder, receiptOf, receiptsFile, removeOrder, subjectHash, writeOrder, type ErasureOrder, type EraseReceipt, type PlaceCount } from './erasure-order';
import type { EraseSurvey, SurveyRequest } from './survey';

/** Entries of one mutation: a record of the journal stays small. */
const ENTRIES_PER_MUTATION = 200;

export interface EraseReport {
  /** Something of the store was the subject's. */
  readonly found: boolean;
  /** As the store spells it. */
  readonly subject: EraseSubject;
  readonly keys: readonly string[];
  /** Sessions that a person shares with others, and that therefore stay. */
  readonly sharedKeys: readonly string[];
  /** Keys that differ by the size of letters alone, and stay: they are another's. */
  readonly otherSpellings: readonly string[];
  /** Transcripts of other sessions with the same words, such as forks. */
  readonly copies: readonly string[];
  /** Files in which the subject still stands; not empty: the erasure is not complete. */
  readonly left: readonly string[];
  readonly places: readonly PlaceCount[];
  /** Of this run, or of an earlier one that left nothing to find. Undefined after a dry run, and where something is left. */
  readonly receipt: EraseReceipt | undefined;
}

/** How the store is opened without its order being carried out. */
export type OpenForErasure = (options: OpenStoreOptions) => Promise<AgentStore>;

interface Scene {
  readonly options: OpenStoreOptions;
  readonly open: OpenForErasure;
  readonly disk: FileSystem;
  readonly layout: StoreLayout;
}

const sceneOf = (options: OpenStoreOptions, open: OpenForErasure): Scene => ({ options, open, disk: options.fileSystem ?? nodeFileSystem, layout: storeLayout(options.agentId, options.sessionsFile) });

/** What an erasure would take by now; the store goes on meanwhile, and not a byte of a session changes. */
export async function previewErasure(store: AgentStore, { subject, nativeBinding }: { readonly subject: EraseSubject; readonly nativeBinding?: string | undefined }): Promise<EraseReport> {
  const worker = newWorker();
  try {
    const survey = await surveyOf(store, worker, nodeFileSystem, { subject, seeds: NO_SEEDS, ...(nativeBinding === undefined ? {} : { nativeBinding }) });
    return reportOf(survey, { places: survey.places, left: [], copies: [] }, undefined);
  } finally {
    await worker.close();
  }
}

/**
 * The store is closed, and nobody else opens it meanwhile.
 * @throws SESSION_LOCKED while another process has it, STORE_UNREADABLE, DISK_FULL, READ_ONLY: the order then stays where it was written, and the next opening goes on.
 */
export async function eraseWith(open: OpenForErasure, options: OpenStoreOptions, subject: EraseSubject): Promise<EraseReport> {
  await resumeErasure(open, options);
  return run(sceneOf(options, open), subject, undefined);
}

/** Carries out an order that a process left behind. @returns what it did; undefined when there is none */
export async function resumeErasure(open: OpenForErasure, options: OpenStoreOptions): Promise<EraseReport | undefined> {
  const scene = sceneOf(options, open);
  const order = await readOrder(scene.disk, scene.layout);
  return order === undefined ? undefined : run(scene, order.subject, order);
}

async function run(scene: Scene, subject: EraseSubject, before: ErasureOrder | undefined): Promise<EraseReport> {
  const { options, open, disk, layout } = scene;
  const worker = newWorker();
  try {
    let order: ErasureOrder;
    let survey: EraseSurvey;
    const store = await open(options);
    try {
      survey = await surveyOf(store, worker, disk, { subject, seeds: before?.seeds ?? NO_SEEDS, ...bindingOf(options) });
      if (before === undefined && !survey.found) return reportOf(survey, { places: [], left: [], copies: [] }, await receiptOf(disk, layout, survey.subject));
      order = before === undefined ? newOrder(survey.subject, survey.seeds, options.clock.nowMs()) : { ...before, seeds: survey.seeds };
      await writeOrder(disk, layout, order);
      await takeEntries(store, survey);
    } finally {
      await store.close();
    }
    const cleared = await clear(scene, order, worker);
    const removed = survey.places.filter(({ place }) => place === 'entries');
    const places = [...removed, ...cleared.places];
    const receipt = cleared.left.length > 0 ? undefined : receiptFor(order, { ...cleared, places }, options.clock.nowMs());
    if (receipt !== undefined) await appendReceipt(disk, layout, receipt);
    await removeOrder(disk, layout);
    return reportOf({ ...survey, found: true }, { ...cleared, places }, receipt);
  } finally {
    await worker.close();
  }
}

function newWorker(): IndexWorkerClient {
  return new IndexWorkerClient({ onFailure: () => undefined, onTrouble: () => undefined });
}

/** The sessions file is up to date first: it is where entries are read from. */
async function surveyOf(store: AgentStore, worker: IndexWorkerClient, disk: FileSystem, request: Pick<SurveyRequest, 'subject' | 'seeds' | 'nativeBinding'>): Promise<EraseSurvey> {
  const { layout } = store;
  if (!store.writable) {
    throw new SessionError('STORE_UNREADABLE', `${layout.sessionsFile} cannot be read; nothing is erased from it`, {
      facts: { agentId: layout.agentId, path: layout.sessionsFile },
      hint: `run: openclaw sessions verify --agent ${layout.agentId} --repair`,
    });
  }
  if (store.isCheckpointDue) await store.checkpoint();
  const subject = await exactAsBefore(disk, layout, request.subject);
  return worker.call('surveyErasure', { layout, leftOut: ownFiles(layout), ...request, subject });
}

/** What names the subject until the end, and what names nobody. */
function ownFiles(layout: StoreLayout): string[] {
  return [orderFile(layout), receiptsFile(layout)].map((file) => path.relative(layout.dir, file));
}

/** Rows of the subject leave, and its names leave the rows of others, so that index and sessions file say the same. */
async function takeEntries(store: AgentStore, { seeds, patches }: EraseSurvey): Promise<void> {
  const effects: Effect[] = [
    ...seeds.keys.map((key): Effect => ({ kind: 'removeEntry', key })),
    ...patches.map(({ key, set, clear }): Effect => ({ kind: 'putEntry', key, set, clear })),
  ];
  for (let from = 0; from < effects.length; from += ENTRIES_PER_MUTATION) {
    const some = effects.slice(from, from + ENTRIES_PER_MUTATION);
    await store.mutate({ decide: (view) => ({ effects: some.filter((effect) => 'key' in effect && view.entry(effect.key ?? '') !== undefined), result: null }) });
  }
}

async function clear({ options, disk, layout }: Scene, order: ErasureOrder, worker: IndexWorkerClient): Promise<ClearedStore> {
  const ownership = await acquireOwnership(layout, {
    fs: disk,
    instance: options.instance,
    transport: options.transport,
    nowMs: options.clock.nowMs(),
    epochFloor: options.epochFloor ?? 1,
    ...bindingOf(options),
  });
  try {
    const { subject, seeds } = order;
    return await worker.call('clearPlaces', { layout, subject, seeds, leftOut: ownFiles(layout), epoch: ownership.record.epoch, ...bindingOf(options) });
  } finally {
    ownership.release();
  }
}

function receiptFor({ id, subject, seeds }: ErasureOrder, { places, scannedFiles, scannedBytes, needles }: ClearedStore, atMs: number): EraseReceipt {
  const exact = exactHashes(subject);
  return { id, atMs, subject: subjectHash(subject), ...(exact.length === 0 ? {} : { exact }), sessions: seeds.keys.length, places, scannedFiles, scannedBytes, needles };
}

function reportOf({ found, subject, seeds, sharedKeys, otherSpellings }: EraseSurvey, { places, left, copies }: Pick<ClearedStore, 'places' | 'left' | 'copies'>, receipt: EraseReceipt | undefined): EraseReport {
  return { found, subject, keys: found ? seeds.keys : [], sharedKeys, otherSpellings, copies, left, places, receipt };
}

function bindingOf({ nativeBinding }: OpenStoreOptions): { readonly nativeBinding?: string } {
  return nativeBinding === undefined ? {} : { nativeBinding };
}
