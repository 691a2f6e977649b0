/**
 * Prices of configured models from OpenRouter's public list, kept in one file: written whole, renamed
 * into place, read at the start, so a gateway without a network knows what it knew before. Asked for
 * at most once a day, and not where another process of the state directory has asked meanwhile; a list
 * that cannot be had or read leaves the prices as they are. What can be lost: the file, which costs
 * the prices until the next list.
 */
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import { isJsonObject, readOpenRouterPrices, type JsonValue, type ModelPrice, type PriceList } from '@sessions/domain';
import { makeDirectory } from './make-directory';

export const PRICE_LIST_URL = 'https://openrouter.ai/api/v1/models';
/** Least time between two lists. */
export const PRICES_MAX_AGE_MS = 24 * 60 * 60_000;
/** How often it is looked whether a list is due, and so the pause after one that failed. */
const LOOK_MS = 60 * 60_000;
const FETCH_TIMEOUT_MS = 15_000;
/** Largest list that is read. */
const LIST_BYTES_MAX = 16 * 1024 * 1024;
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

export interface PriceCacheOptions {
  /** Absolute path. */
  readonly file: string;
  /** `provider/model` of the models whose prices are kept; none: nothing is asked for. */
  readonly wanted: () => ReadonlySet<string>;
  readonly nowMs: () => number;
  /** A list could not be had; the prices stay. */
  readonly onFailure: (error: Error) => void;
  readonly url?: string;
}

export interface PriceCache {
  /** As they are now. */
  prices(): PriceList;
  /** Reads the file, and asks for a list now and then from now on. */
  start(): Promise<void>;
  /** Asks for a list if one is due; resolves when it has come or failed. */
  refresh(): Promise<void>;
  stop(): void;
}

export function createPriceCache({ file, wanted, nowMs, onFailure, url = PRICE_LIST_URL }: PriceCacheOptions): PriceCache {
  let prices: ReadonlyMap<string, ModelPrice> = new Map();
  let fetchedAtMs = Number.NEGATIVE_INFINITY;
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  const stopping = new AbortController();

  const load = async (): Promise<void> => {
    const stored = parseStored(await readFile(file, 'utf8').catch(() => ''));
    if (stored === undefined || stored.fetchedAtMs <= fetchedAtMs) return;
    prices = stored.prices;
    // A clock that was set back must not keep prices for ever.
    fetchedAtMs = Math.min(stored.fetchedAtMs, nowMs());
  };
  const fetchList = async (names: ReadonlySet<string>): Promise<void> => {
    const answer = await fetch(url, { signal: AbortSignal.any([AbortSignal.timeout(FETCH_TIMEOUT_MS), stopping.signal]), headers: { accept: 'application/json' } });
    if (!answer.ok) throw new Error(`the price list answered with status ${String(answer.status)}`);
    const listed = readOpenRouterPrices(JSON.parse(await readBounded(answer)), names);
    if (listed === undefined) throw new Error('the price list is none');
    prices = listed;
    fetchedAtMs = nowMs();
    await store(file, { fetchedAtMs, prices });
  };
  const isDue = (): boolean => nowMs() - fetchedAtMs >= PRICES_MAX_AGE_MS;
  const refresh = (): Promise<void> => {
    const names = wanted();
    if (names.size === 0 || !isDue()) return Promise.resolve();
    running ??= load()
      .then(() => (isDue() ? fetchList(names) : undefined))
      .catch((error: unknown) => {
        if (!stopping.signal.aborted) onFailure(error instanceof Error ? error : new Error(String(error)));
      })
      .finally(() => {
        running = undefined;
      });
    return running;
  };
  return {
    prices: () => prices,
    refresh,
    async start() {
      await load();
      void refresh();
      timer = setInterval(() => void refresh(), LOOK_MS).unref();
    },
    stop() {
      clearInterval(timer);
      stopping.abort();
    },
  };
}

interface Stored {
  readonly fetchedAtMs: number;
  readonly prices: ReadonlyMap<string, ModelPrice>;
}

function parseStored(text: string): Stored | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value) || typeof value['fetchedAt'] !== 'number' || !isJsonObject(value['prices'])) return undefined;
  const prices = Object.entries(value['prices']).flatMap(([name, price]) => (isJsonObject(price) ? [[name, priceFrom(price)] as const] : []));
  return { fetchedAtMs: value['fetchedAt'], prices: new Map(prices) };
}

function priceFrom(price: Readonly<Record<string, JsonValue | undefined>>): ModelPrice {
  const of = (kind: keyof ModelPrice): number | undefined => {
    const value = price[kind];
    return typeof value === 'number' && value >= 0 ? value : undefined;
  };
  return { input: of('input'), output: of('output'), cacheRead: of('cacheRead'), cacheWrite: of('cacheWrite') };
}

async function store(file: string, { fetchedAtMs, prices }: Stored): Promise<void> {
  await makeDirectory(path.dirname(file), DIRECTORY_MODE);
  const temp = `${file}.${String(process.pid)}.${randomUUID()}.tmp`;
  try {
    await writeFile(temp, JSON.stringify({ fetchedAt: fetchedAtMs, prices: Object.fromEntries(prices) }), { mode: FILE_MODE });
    await rename(temp, file);
  } catch (error) {
    await rm(temp, { force: true });
    throw error;
  }
}

async function readBounded(answer: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of answer.body ?? []) {
    bytes += (piece as Uint8Array).length;
    if (bytes > LIST_BYTES_MAX) throw new Error(`the price list is longer than ${String(LIST_BYTES_MAX)} bytes`);
    pieces.push(piece as Uint8Array);
  }
  return Buffer.concat(pieces).toString('utf8');
}
