/** The door of the store library: one agent's conversations on disk. */
export { eraseInStore, openStore, CHECKPOINT_DELAY_MS, WRITE_LOCK_DEFAULTS } from './open-store';
export type { OpenStoreOptions } from './open-store';
export { previewErasure } from './erase/erase-in-store';
export type { EraseReport } from './erase/erase-in-store';
export type { EraseReceipt, PlaceCount } from './erase/erasure-order';
export type { AgentStore } from './agent-store';
export { HISTORY_LIMIT_MAX } from './store-reads';
export type { EntryRef, HistoryPage, HistoryQuery, HistoryRecord, ListPage, ListQuery, StoredEntry, StoreInfo } from './store-reads';
export { KEEP_RESULT_MS_MIN, LINE_BYTES_MAX, NOTES_MAX, RESULT_BYTES_MAX } from './types';
export type {
  AppendEffect,
  BringBackEffect,
  Decision,
  Effect,
  EntrySnapshot,
  FileEffect,
  HeldFile,
  HeldView,
  Mutation,
  MutationOutcome,
  MutationView,
  PutEntryEffect,
  PutEntryTextEffect,
  RecordArchiveEffect,
  RecordUsageEffect,
  RemoveArchiveEffect,
  RemoveEntryEffect,
  ReplaceTranscriptEffect,
  ResultNote,
  SetAsideEffect,
  StagedTranscript,
  TranscriptTail,
  UsageLine,
} from './types';
export type { ArchiveRecord } from './archive/manifest-records';
export { LoopSlice } from './loop-slice';
export type { DirectoryFile, StoreFacts } from './store-facts';
export type { OrderedRow } from './session-index/index-reader';
export type { StoreFiles } from './store-files';
export { HELD_FILES_MAX } from './archive/held-files';
export type { HeldFiles, HoldRequest } from './archive/held-files';
export { isLiveTranscript, readArchiveFile } from './archive/archive-files';
export type { ArchiveFile } from './archive/archive-files';
export { ARCHIVES_LIMIT_MAX, isKeyAmong } from './archive/list-archives';
export type { ArchivePage, ArchiveQuery, ListedArchive } from './archive/list-archives';
export type { ArchivedFile } from './archive/manifest';
export type { Piece } from './archive/stage-transcript';
export type { ByteSource } from './transcript/byte-source';
export { findBranch } from './transcript/read-branch';
export { linesBackwards, readTail } from './transcript/backward-reader';
export type { BranchLine } from './transcript/read-branch';
export { readLineFacts } from './transcript/line-facts';
export type { LineFacts } from './transcript/line-facts';
export { transcriptsById } from './transcript/transcripts-by-id';
export { scanTranscript } from './transcript/scan-transcript';
export { openStoreReader } from './offline/store-reader';
export type { ReadEntry, ReaderOptions, ReadRows, StoreReader } from './offline/store-reader';
export { readLedgerTotals } from './offline/ledger-totals';
export { eraseExports } from './trajectory/erase-exports';
export { openFactsReader } from './offline/facts-reader';
export type { FactsReader } from './offline/facts-reader';
export { COUNT_BYTES_MAX, openOfflineTranscript } from './offline/offline-transcript';
export type { OfflineHistoryQuery, OfflineTranscript } from './offline/offline-transcript';
export { searchOffline } from './offline/offline-search';
export type { OfflineSearch, OfflineSearchReply, SearchedSession } from './offline/offline-search';
export { isOwnerGone, recordedEpoch } from './offline/owner-gone';
export type { ClaimedOwner } from './offline/owner-gone';
export { livingOwner } from './offline/living-owner';
export type { OwnerRecord } from './files/owner-file';
export { isStoreHeld } from './files/owner-file';
export { readHistoryPage } from './transcript/read-history';
export type { HistoryItem, HistoryPage as TranscriptPage, HistoryPosition } from './transcript/read-history';
export type { ScannedLine, TranscriptScan } from './transcript/scan-transcript';
export { VISIBILITY } from './session-index/schema';
export type { Visibility } from './session-index/schema';
export { USAGE_LIMIT_MAX } from './session-index/usage-sums';
export type { IndexedTextHit, ModelUsageSum, SearchTextsReply, SearchTextsRequest, TextHit, SessionUsageSum, StoreNotice, UsageAnswer, UsageLines, UsageQuery, UsageSum, UsageSums } from './session-index/worker-protocol';
export type { WriteLockSettings } from './files/transcript-lock';
export { discoverStores } from './files/discover-stores';
export { storeLayout } from './files/layout';
export type { StoreLayout } from './files/layout';
export { verifyStore, verifyStores } from './verify/verify-store';
export type { StoreReport, VerifyOptions, VerifyProgress, VerifyReport, VerifyTotals } from './verify/verify-store';
export { repairStore } from './verify/repair-store';
export type { RepairReport } from './verify/repair-store';
export { FINDING_RULES, planRepairs } from './verify/findings';
export type { Finding, FindingKind, RepairAction } from './verify/findings';
export { mayHoldOpenWork } from './offline/open-work';
export { ARCHIVE_FORMAT, ARCHIVE_VERSION, BEFORE_MAX, CHECKPOINTS_MAX, SESSION_BYTES_MAX, checkpointIdOf } from './portable/archive-format';
export type { ArchiveEnd, ArchiveHead, SessionHead } from './portable/archive-format';
export { ArchiveWriter } from './portable/write-archive';
export type { ExportedSession, SourceFile, WrittenSession } from './portable/write-archive';
export { readArchive, readPortableSession } from './portable/read-archive';
export type { ArchivedBytes, PortableSession } from './portable/read-archive';
export { hasSameStart } from './portable/same-start';
export { openInside } from './files/safe-path';
export { isContainedName } from './trajectory/contained-output';
export { DRAFT_IDLE_MS, draftName, sweepDrafts } from './portable/export-drafts';
export type { Bundle } from './trajectory/export-bundle';
export { exportName, exportTrajectory } from './trajectory/export-trajectory';
export type { ExportedTrajectory, TrajectoryExport } from './trajectory/export-trajectory';
export { createRedaction, redactJson } from './trajectory/redact';
export { TrajectoryWriter } from './trajectory/trajectory-writer';
export type { TrajectoryNote } from './trajectory/event-line';
export { LINE_BYTES_MAX as TRAJECTORY_LINE_BYTES_MAX, readAppended, readLastEvents, trajectoryPath } from './trajectory/trajectory-file';
export type { TrajectoryEvent, TrajectoryPlace } from './trajectory/trajectory-file';
