/** The door of the domain: pure decisions, no I/O, no clock, no randomness. */
export { GRPC_STATUS, REASONS, SessionError, isReason } from './errors';
export type { ErrorFacts, GatewayErrorCode, Reason, RetryRule, SessionErrorOptions, StatusName } from './errors';
export { DEFAULT_AGENT_ID, asAgentId, asSessionId, isAgentId, isSessionId, isUuid } from './ids';
export type { AgentId, Epoch, Seq, SessionId, SessionKey } from './ids';
export { directoryChain } from './directory-chain';
export { JSON_DEPTH_MAX, isJsonObject, withBoundedDepth } from './json';
export type { JsonObject, JsonValue } from './json';

// Keys
export { KEY_LENGTH_MAX, assertCreatableKey, cronRunKey, formatSessionKey, holdsSuffixMarker, isReservedChannel, lookupCandidates, mainSessionKey, namedKey, normaliseSessionKey, parentKey, parseSessionKey, storedSpellings, toRequestKey, withSuffix } from './keys/session-key';
export type { KeyAddress, KeyForm, KeyRequest, KeySuffix, ParsedKey, RequestKey } from './keys/session-key';
export { TOOL_KINDS, asChatType, chatTypeOf, cliRowKind, gatewayRowKind, isCronRunKey, keyRest, toolChannel, toolRowKind } from './keys/key-kind';
export type { ChatType, CliRowKind, GatewayRowKind, KindFacts, ToolRowKind } from './keys/key-kind';
export { DEFAULT_ACCOUNT_ID, slugAccountId, slugAgentId } from './keys/slug-id';

// Configuration
export { defaultConfig, formatProblem, parseConfig } from './config/parse-config';
export type { ConfigResult, SessionConfig } from './config/parse-config';
export type { ConfigProblem } from './config/section';
export { describeOptions } from './config/option-table';
export type { OptionRow } from './config/option-table';
export { CONTEXT_TOKENS_DEFAULT, agentSettings, configuredAgents, contextTokensFor, modelFor, parseModelRef, storePathFor } from './config/agents';
export type { ConfiguredAgents, ModelRef, Places } from './config/agents';
export { configuredSecrets } from './config/configured-secrets';
export { expandHome } from './config/home-path';
export { namedWorkspace, workspaceFor } from './config/workspace';
export type { AgentConfig, AgentSettings } from './config/parse-agents';
export type { Binding, Environment, PeerMatch, UserToken } from './config/parse-sections';
export type { IdentityLink, MaintenanceConfig, ResetPolicy, ResetType, SendPolicyConfig, SendRule } from './config/parse-session';
export { parseByteSize } from './config/byte-sizes';
export { DURATION_UNITS, parseDuration } from './config/durations';
export type { DurationUnit } from './config/durations';

// Inbound messages
export { ACCOUNT_LENGTH_MAX, ID_LENGTH_MAX, ORIGIN_KINDS, TEXT_BYTES_MAX, parseEnvelope } from './inbound/envelope';
export type { Conversation, CronOrigin, InboundEnvelope, OriginKind, ReplyRoute, Sender } from './inbound/envelope';
export { ATTACHMENTS_BYTES_MAX, ATTACHMENTS_MAX, ATTACHMENT_BYTES_MAX, base64Bytes } from './inbound/attachments';
export type { Attachment } from './inbound/attachments';
export { IDEMPOTENCY_KEY_LENGTH_MAX, defaultIdempotencyKey, escapedPart, replyRouteOf } from './inbound/reply-route';

// Routing
export { TELEGRAM_GENERAL_TOPIC, resolveRoute } from './routing/resolve-session-key';
export type { Route, RouteOptions } from './routing/resolve-session-key';
export { BINDING_LEVELS, chooseAgent } from './routing/bindings';
export type { AgentChoice, BindingLevel, MatchedBy } from './routing/bindings';
export { linkedName } from './routing/identity-links';
export { groupDisplayName, originPatch } from './routing/origin-metadata';
export type { OriginPatch } from './routing/origin-metadata';
export { enforceSendPolicy, evaluateSendPolicy } from './routing/send-policy';
export type { SendPoint, SendSubject } from './routing/send-policy';
export { SPAWN_CHAIN_MAX, canSee, effectiveVisibility, isSameKey, matchesPattern, spawnAncestors } from './routing/visibility';
export { BOUND_SESSION_MEMBER, THREAD_BINDING_MEMBER, bindingHolds, boundSessionMember, boundSessionOf, isBoundTo } from './routing/thread-binding';
export type { BoundSession, ThreadPlace } from './routing/thread-binding';
export type { Visibility, VisibilitySubject, VisibilityTarget } from './routing/visibility';
export { isSandboxed } from './routing/sandbox';
export { SEVERAL_SENDERS_MEMBER, dmScopeWarning, severalSendersPatch } from './routing/dm-scope-warning';
export type { DmScopeWarning } from './routing/dm-scope-warning';

// Chat commands
export { CHAT_COMMAND_USAGES, COMMAND_LENGTH_MAX, commandVerdict, inlineCommands, parseChatCommand } from './commands/chat-commands';
export type { ChatIntent, CommandSender, CommandVerdict, InlineCommands, ToggleName } from './commands/chat-commands';
export { needsAdministrator, needsAdministratorInline } from './commands/command-rights';
export { CHOICE_FIELDS, THINKING_SYNONYMS } from './entry/patch-choices';
export { chooseNewModel } from './commands/new-model';
export type { KnownModel, NewModelChoice } from './commands/new-model';

// Entries
export { formatEntry, patchRawObject, readRawMembers } from './entry/raw-object';
export type { RawMember, RawPatch } from './entry/raw-object';
export { instantOf, parseEntry } from './entry/entry';
export type { EntryMembers, ParsedEntry, UnlistedReason } from './entry/entry';
export type { ChosenMembers, CompactionMembers, IdentityMembers, RoutingMembers, RunMembers, SessionEntry, SpawnMembers } from './entry/session-entry';
export { LEGACY_NAMES } from './entry/session-entry';
export { archiveName, fileStamp, freeArchiveName, insideSessionsDir, parseArchiveName, sessionOfSuccessor, successorFileName, transcriptFileName, transcriptFileOf } from './entry/entry-file';
export type { ArchiveKind, ArchiveName } from './entry/entry-file';
export { nativeView, newSimpleEntry, syncSimpleMembers, syncedPatch } from './entry/simple-format';
export type { MemberChange } from './entry/simple-format';
export { LABEL_LENGTH_MAX, PATCH_FIELDS, entryMembers, labelInUse, parseLabel, planEntryPatch } from './entry/patch-fields';
export type { EntryPatch, PatchFacts } from './entry/patch-fields';
export { headerIdOf } from './entry/imported-transcript';
export { importedEntryText } from './entry/import-entry';
export type { TranscriptHere } from './entry/import-entry';
export type { ImportedEntry } from './entry/import-entry';
export { createEntryFields, firstMessageFields, inboundTouchFields } from './entry/touch';
export type { NewEntry, OptionalMembers } from './entry/touch';
export { ZoneClock, ZoneClocks } from './entry/zone-clock';
export { decideFreshness, resetPolicyFor, resetTypeOf, sessionTimes } from './entry/freshness';
export type { FreshWhy, Freshness, FreshnessFacts, ResetPolicySettings, ResolvedResetPolicy, SessionTimes } from './entry/freshness';
export { cronRunEntry, resetEntry, selectedModel } from './entry/reset-entry';
export type { ResetReason, ResetRequest } from './entry/reset-entry';
export { restoredEntry } from './entry/restore-entry';
export type { RestoredSession } from './entry/restore-entry';
export { REMOVAL_NOTICE_MEMBER, removalAnnouncedAtMs, writeRemovalNotice } from './entry/removal-notice';
export { rotationOf, successorOf, transcriptsBefore } from './entry/rotate-entry';
export type { RotatedTranscript, Rotation } from './entry/rotate-entry';
export { APPROVALS_MEMBER, CHILD_CLAIMS_MEMBER, COMPACTION_MEMBER, DELIVERIES_MEMBER, OPEN_WORK_MEMBERS, RUNS_MEMBER, YIELDED_MEMBER, YIELDING_MEMBER } from './entry/open-work';
export { forkEntry } from './entry/fork-entry';
export type { ForkRequest } from './entry/fork-entry';
export { FORK_WINDOW_SHARE, planFork } from './entry/plan-fork';
export type { ForkPlan } from './entry/plan-fork';
export { COST_KINDS, CostSum, KindCostSum, sumCosts, wholeCosts } from './entry/cost-sum';
export type { KindCosts } from './entry/cost-sum';
export { configuredModels, costOf, costsOf, priceOf, readOpenRouterPrices, roundCost, unpricedModels } from './entry/usage';
export type { ModelPrice, PriceList, TokenCounts } from './entry/usage';

// Erasure
export { anyhow, asStored, exactly, keyTest, looksLikeKey, peerTest, personOf, receiptSubject } from './erasure/erase-subject';
export type { EraseSubject, PeerName } from './erasure/erase-subject';
export { cleansingOf, isMemberNamed, surroundingsIn, surroundingsOf } from './erasure/names-in-entry';
export type { EntryCleansing, NameTest, Surroundings } from './erasure/names-in-entry';

// Lists
export { searchTextOf, searchedNamesOf, toSessionRow } from './list/session-row';
export type { RowFacts } from './list/session-row';
export { THINKING_LEVELS, agentRuntimeOf, thinkingMembers, toGatewayRow } from './list/gateway-row';
export type { GatewayRowDefaults } from './list/gateway-row';
export { toCliRow } from './list/cli-row';
export type { CliRow, CliRowFacts } from './list/cli-row';
export { modelOf, toToolRow, tokensOf } from './list/tool-row';
export type { ToolRowFacts } from './list/tool-row';
export { LIST_LIMIT_DEFAULT, filterRows, newestFirst, selectRows } from './list/filter-rows';
export type { RowFilter, RowPage, SelectedRows } from './list/filter-rows';

// Transcripts
export { TRANSCRIPT_VERSION, injectedMessageLine, sessionHeaderLine, simpleMessageLine, userMessageLine } from './transcript/record';
export type { ContentBlock, HeaderFields, MessageContent, MessageFields } from './transcript/record';
export { headerOf, lineId, parseTranscriptLine } from './transcript/parse-line';
export type { ParsedLine, TranscriptHeader, TranscriptLine, UnreadableLine, UnreadableWhy } from './transcript/parse-line';
export { activeBranch, contextLines } from './transcript/active-branch';
export type { ActiveBranch, ContextLines } from './transcript/active-branch';
export { historyView, messageSeqs, withoutTools } from './transcript/history-view';
export type { HistoryMessage, HistoryOptions, HistoryView } from './transcript/history-view';
export { DISPLAY_MESSAGE_BYTES_MAX, OVERSIZED_PLACEHOLDER, displayMessage, displayText, isSilentReply } from './transcript/display';
export { TRAJECTORY_EVENT_BYTES_MAX, TRAJECTORY_TEXT_CHARS_MAX, boundedTrajectoryData, oversizedTrajectoryData } from './transcript/trajectory-data';
export { isSecretName, maskCredentials } from './transcript/credentials';
export { HISTORY_BYTES_MAX, HISTORY_OMITTED, HISTORY_TEXT_CHARS_MAX, safeHistory } from './transcript/safe-history';
export type { SafeHistory, SafeHistoryOptions } from './transcript/safe-history';
export { LAST_MESSAGE_CHARS_MAX, TITLE_CHARS_MAX, cutText, derivedTitle, lastMessagePreview, messageText, previewOf } from './transcript/preview';

// Leases
export { isLeaseTrusted, leaseAcquired, leaseAt, leaseDoubted, leaseDueInMs, leaseEnded, leaseRenewalFailed, leaseRenewed, leaseTrustLeftMs, leaseUndoubted } from './lease/lease';
export type { LeaseEnd, LeaseState, LeaseTerms, Moment } from './lease/lease';
export { planRebalance, rankOwners, rendezvousOwner } from './lease/placement';
export type { Move, RebalanceFacts } from './lease/placement';
export { lineLinks } from './transcript/line-links';
export type { LineLinks } from './transcript/line-links';
export { TOUCHED_PATH_LENGTH_MAX, mergeTouchedFiles, touchedFilesOf, touchedFilesOfSummary } from './transcript/touched-files';
export type { TouchKind, TouchedFile } from './transcript/touched-files';
export { blocksOf, completeTurns, isBrokenOff, pairTools, pendingFrom, resultCallId, safeAfter, safeBefore, safePlaces, toolCallsOf, wholeCall } from './transcript/structure';
export type { ToolCall, ToolPairs } from './transcript/structure';

// Turns
export { RUN_ATTEMPT_EVENTS_MAX, firstRunSeq } from './turns/run-event-seq';
export { RUN_OUTCOMES, followUpsOf } from './turns/follow-ups';
export type { RunEnd, RunOutcome } from './turns/follow-ups';
export { OFFERED_FOR_MS, deliveryOffer } from './turns/delivery-schedule';
export type { DeliveryOffer } from './turns/delivery-schedule';

// Compaction
export { CHARS_PER_TOKEN, IMAGE_TOKENS, contextTokens, estimateLineTokens, estimateTextTokens } from './compaction/count-tokens';
export type { TokenCounter } from './compaction/count-tokens';
export { CHUNK_WINDOW_SHARE, COMPACTION_WAIT_SECONDS_MAX, compactionWaitSeconds, KEEP_RECENT_TOKENS, NEW_CONTENT_SHARE_MIN, chunksOf, isFlushDue, isNearlyFull, planCompaction, shownTokens, planTurnDrop, reserveTokens } from './compaction/plan-compaction';
export type { CompactionPlan, CompactionRequest, CompactionSettings, SummaryChunk, TurnDrop } from './compaction/plan-compaction';
export { LOOKED_AT_BYTES, isOversized, mayNeedCompaction } from './compaction/entry-compaction-due';
export type { CompactionDueFacts, SizeDueFacts } from './compaction/entry-compaction-due';
export { planDueCompaction, isMidTurnDue } from './compaction/compaction-due';
export type { CompactionDue, CompactionDueRequest, MidTurnRequest } from './compaction/compaction-due';
export { isOverflowError, planFlush } from './compaction/plan-flush';
export type { FlushRequest } from './compaction/plan-flush';
export { RETRY_TEXT_CHARS_MIN, RETRY_WINDOW_MS, STATE_BYTES_MAX, isStateType, planSuccessor, tailLine } from './compaction/plan-successor';
export type { HeadLine, SuccessorPlan, SuccessorRequest, TailLine } from './compaction/plan-successor';
export { planTruncation, rewriteLine } from './compaction/plan-truncation';
export type { KeptLine, LineRewrite, TruncationPlan } from './compaction/plan-truncation';
export { INTERRUPTED_RESULT_TEXT, assembleContext, contextProblems, missingResults } from './compaction/assemble-context';
export type { ContextMessage } from './compaction/assemble-context';
export { boundedContext, leftOutNotice } from './compaction/bounded-context';
export type { BoundedContext } from './compaction/bounded-context';
export { pruneContext } from './compaction/prune-context';
export type { PruneRequest, PrunedContext, PruningSettings } from './compaction/prune-context';

// Maintenance
export { MEMORY_DIR, MEMORY_TOOL, MEMORY_TOOL_NAME, NOTES_FILE_BYTES_MAX, NOTE_BYTES_MAX, isDay, parseMemoryNote } from './turns/memory-notes';
export type { MemoryNote } from './turns/memory-notes';
export { KEY_LOST_MEMBER, ROW_FLAGS, familyFilesOf, familyIdsOf, maintenanceFacts, rowProtections } from './maintenance/maintenance-facts';
export type { MaintenanceFacts, RowOccasion } from './maintenance/maintenance-facts';
export { PROTECTIONS, isArchive, isOrphan } from './maintenance/facts';
export type { FactFile, FactRow, FileClass, ProtectedRows, Protection, StoreFacts, StoreTotals, TranscriptState } from './maintenance/facts';
export { EXCEPTION_KEYS_MAX } from './maintenance/exceptions';
export type { Bound, BoundException } from './maintenance/exceptions';
export { RECENT_MS, isDurablePointer, isFree, isFreeToFix, isMainKey, isSyntheticKey } from './maintenance/protection';
export { parseStoreFile, unreferencedClass } from './maintenance/store-files';
export type { StoreFile } from './maintenance/store-files';
export { BATCH_ACTIONS_MAX, actionBatches } from './maintenance/actions';
export type { ActionKind, ActionReason, FileActionKind, MaintenanceAction, RowActionKind } from './maintenance/actions';
export { planMaintenance, stepsFor } from './maintenance/plan';
export type { KeepReason, MaintenancePlan, MaintenanceSettings, PlanCounts, PlanFlags, PlanRequest, RowVerdict } from './maintenance/plan';
export { UNLABELLED, planTable } from './maintenance/plan-table';
export type { LabelCount, PlanTable, PlanTableRow } from './maintenance/plan-table';
export { MODEL_RUN_MAX_AGE_MS, isModelRunKey } from './maintenance/plan-prune';
export { EMPTY_TRANSCRIPT_BYTES_MAX, judgeTranscript } from './maintenance/plan-missing';
export type { TranscriptFacts } from './maintenance/plan-missing';
export { isRetiredDmRow } from './maintenance/plan-dm-scope';
export { ARCHIVE_MIN_AGE_MS, UNLINK_NOTICE_MS, mayUnlink } from './maintenance/plan-archives';
export { TEMP_MIN_AGE_MS } from './maintenance/plan-orphans';
export type { DiskBudgetReport } from './maintenance/plan-disk-budget';
export { planSubagentArchives, subagentArchiveAtMs } from './maintenance/plan-subagents';
export type { ChildFacts } from './maintenance/plan-subagents';
export { ARCHIVE_INTERVAL_MS, IDLE_INTERVAL_MS, JUMP_MS_MIN, SETTLE_MS, TOUCHED_INTERVAL_MS, nextDueAtMs, noteTouched, startSchedule, takeDue } from './maintenance/schedule';
export type { Clock, DueJob, DueRequest, ScheduleState } from './maintenance/schedule';
export { AUTOMATIC_ACTOR_PREFIX, NOTICE_KEYS_MAX, holdUnannounced, isAutomaticActor, planAnnouncements } from './maintenance/notice';
export type { Announcements, NoticeRequest } from './maintenance/notice';

// Session tools
export { SESSION_TOOLS, SESSION_TOOL_NAMES, TOOL_LIMITS, sessionTool } from './turns/tool-definitions';
export type { SessionToolName, ToolDefinition } from './turns/tool-definitions';
export { toolsFor } from './turns/tool-access';
export type { ToolAccess } from './turns/tool-access';
export { TARGET_REQUIRED, parseAgentsListArguments, parseHistoryArguments, parseListArguments, parseSendArguments, parseSpawnArguments, parseStatusArguments, parseSubagentsArguments, parseYieldArguments, utf8Bytes } from './turns/tool-arguments';
export type { HistoryArguments, ListArguments, Parsed, SendArguments, SpawnArguments, SpawnAttachment, StatusArguments, SubagentsArguments, YieldArguments } from './turns/tool-arguments';
export { HOPS_MAX, INTER_SESSION_CHARS_MAX, RECALLED_CHARS_MAX, TURN_SENDS_MAX, TURN_SENDS_TEXT, chainEnd, costSoFar, graphCost, interSessionText } from './turns/inter-session';
export type { ChainPlace } from './turns/inter-session';
export { MARK_PROMPT, sourceMark, sourceOf, withOrigin } from './turns/message-origin';
export type { MessageSource } from './turns/message-origin';
export { reservedKey, reservedRunId } from './turns/reserved-ids';
export { turnLane } from './turns/turn-lane';
export type { TurnLane } from './turns/turn-lane';
export { requestPrompt, startExchange } from './turns/exchange';
export type { ExchangeStart } from './turns/exchange';
export { announceBlock, awaitedResultPrompt } from './turns/announce';
export { isSilentText } from './turns/silent-words';
export { isTokenCount, recordedUsage, tokenCount } from './turns/recorded-usage';
export type { RecordedUsage } from './turns/recorded-usage';
export { formatRuntime, statsLine } from './turns/stats-line';
export type { RunFigures } from './turns/stats-line';
export { STALE_RUN_MS, agentDenial, childrenDenial, inheritedModel, knownModel, maySpawnAs, spawnDenial, spawnableAgents } from './turns/spawn-rules';
export type { InheritedModel, SpawnFacts } from './turns/spawn-rules';
export { ATTACHMENTS_DIR, MANIFEST_NAME, REDACTED_CONTENT, attachmentProblems, recordedArguments } from './turns/spawn-attachments';
export { channelOf, isInChannel } from './search/channel-of';
export { nameSnippetOf } from './search/name-snippet';
export { QUERY_CHARS_MAX, matchExpression, parseSearchQuery, wordsApart } from './search/search-query';
export type { SearchTerm } from './search/search-query';
export { SNIPPET_CHARS_MAX, snippetOf } from './search/snippet';
export type { Highlight, Snippet } from './search/snippet';
export { SEARCHED_CHARS_MAX, indexedWords } from './search/words';
