/** The one object behind a listing's text and its --json (compatibility page, command line). */

/** What the tables show of a row; the JSON carries the whole row. */
export interface ListedRow {
  readonly key: string;
  readonly agentId: string;
  readonly kind: string;
  readonly updatedAt: number | null;
  readonly ageMs: number | null;
  readonly model: string | null;
  readonly totalTokens: number | null;
  readonly contextTokens: number | null;
  readonly agentRuntime: { readonly id: string };
  readonly sessionId?: string;
  readonly systemSent?: boolean;
  readonly abortedLastRun?: boolean;
  readonly thinkingLevel?: string;
  readonly verboseLevel?: string;
  readonly traceLevel?: string;
  readonly reasoningLevel?: string;
  readonly elevatedLevel?: string;
  readonly responseUsage?: string;
  readonly groupActivation?: string;
  readonly messageCount?: number;
}

export interface ListDocument<Row extends ListedRow = ListedRow> {
  /** The store read; null when several were asked for. */
  readonly path: string | null;
  readonly stores?: readonly { readonly agentId: string; readonly path: string }[];
  readonly allAgents?: true;
  readonly count: number;
  readonly totalCount: number;
  readonly limitApplied: number | null;
  readonly hasMore: boolean;
  readonly activeMinutes: number | null;
  readonly sessions: readonly Row[];
  /** What the reader should know about where rows came from; absent when there is nothing. */
  readonly warnings?: readonly string[];
}
