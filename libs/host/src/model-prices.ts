/**
 * The prices that an owner of stores counts costs with, as a service of its process: of configured
 * models that have none in the configuration, in `cache/model-prices.json` of the state directory.
 * All processes of a state directory share that file, whatever holds the stores.
 */
import * as path from 'node:path';
import { unpricedModels, type PriceList, type SessionConfig } from '@sessions/domain';
import type { Clock } from './clock';
import type { Logger } from './logger';
import { createPriceCache } from './price-cache';
import type { Service } from './service';

export interface ModelPricesDeps {
  /** Absolute path. */
  readonly stateDir: string;
  readonly config: () => SessionConfig;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly logger: Pick<Logger, 'info'>;
}

export interface ModelPrices extends Service {
  /** As they are now. */
  prices(): PriceList;
}

export function createModelPrices({ stateDir, config, clock, logger }: ModelPricesDeps): ModelPrices {
  const cache = createPriceCache({
    file: path.join(stateDir, 'cache', 'model-prices.json'),
    wanted: () => unpricedModels(config()),
    nowMs: () => clock.nowMs(),
    onFailure: (err) => logger.info('the list of model prices could not be read; the prices before stay', { reason: reasonOf(err) }),
  });
  return {
    name: 'model-prices',
    prices: () => cache.prices(),
    start: () => cache.start(),
    drain: () => Promise.resolve(),
    stop: () => {
      cache.stop();
      return Promise.resolve();
    },
  };
}

/** A network that is not there is expected: its name is enough, where it happened says nothing. */
function reasonOf({ message, cause }: Error): string {
  const { code } = (cause ?? {}) as { readonly code?: unknown };
  return typeof code === 'string' ? `${message} (${code})` : message;
}
