import { defaultConfig, parseConfig, type SessionConfig } from '../config/parse-config';
import { configuredModels, costOf, priceOf, readOpenRouterPrices } from './usage';

const NONE = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };

function configOf(raw: unknown): SessionConfig {
  const result = parseConfig(raw);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.config;
}

const priced = configOf({
  agents: { defaults: { model: 'openrouter/anthropic/claude-x' } },
  models: { providers: { openai: { models: [{ id: 'gpt-5', cost: { input: 1.25, output: 10 } }, { id: 'free', cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 } }, { id: 'unpriced' }] } } },
});

describe('costOf', () => {
  it('multiplies tokens with prices a million', () => {
    expect(costOf({ ...NONE, input: 1_000_000, output: 200_000 }, { input: 1.25, output: 10 })).toBe(3.25);
    expect(costOf({ input: 3, output: 1, cacheRead: 7, cacheWrite: 2 }, { input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75 })).toBe(0.0000336);
  });

  it('is unknown where a price that is needed is not known, and needs none for what was not used', () => {
    expect(costOf({ ...NONE, input: 10 }, undefined)).toBeUndefined();
    expect(costOf({ ...NONE, input: 10, cacheRead: 1 }, { input: 1, output: 1 })).toBeUndefined();
    expect(costOf({ ...NONE, input: 10 }, { input: 1 })).toBe(0.00001);
    expect(costOf(NONE, {})).toBe(0);
  });

  it('knows that nothing is a price too', () => {
    expect(costOf({ ...NONE, input: 10 }, { input: 0 })).toBe(0);
  });
});

describe('priceOf', () => {
  const listed = new Map([['openai/unpriced', { input: 7 }], ['openai/gpt-5', { input: 99 }]]);

  it('takes the configured price before the listed one, of exactly the model that is asked for', () => {
    expect(priceOf({ provider: 'openai', model: 'gpt-5' }, priced, listed)).toMatchObject({ input: 1.25, cacheRead: undefined });
    expect(priceOf({ provider: 'openai', model: 'unpriced' }, priced, listed)).toEqual({ input: 7 });
    expect(priceOf({ provider: 'openai', model: 'free' }, priced, listed)).toMatchObject({ input: 0 });
  });

  it('guesses nothing from a name that is like it, nor for a model without a provider', () => {
    expect(priceOf({ provider: 'openai', model: 'gpt-5-mini' }, priced, listed)).toBeUndefined();
    expect(priceOf({ provider: 'other', model: 'gpt-5' }, priced, listed)).toBeUndefined();
    expect(priceOf({ provider: undefined, model: 'gpt-5' }, priced, listed)).toBeUndefined();
    expect(priceOf({ provider: 'openai', model: 'unpriced' }, priced)).toBeUndefined();
  });
});

describe('readOpenRouterPrices', () => {
  it('keeps the prices of configured models, a million tokens each', () => {
    const body = {
      data: [
        { id: 'anthropic/claude-x', pricing: { prompt: '0.000003', completion: '0.000015', input_cache_read: '0.0000003', input_cache_write: '' } },
        { id: 'openai/unpriced', pricing: { prompt: '-1', completion: 'dear' } },
        { id: 'openai/gpt-5', pricing: { prompt: '0.1', completion: '0.1', request: '0.01' } },
        { id: 'nobody/wants-it', pricing: { prompt: '1', completion: '1' } },
        { id: 7 },
        null,
      ],
    };
    const prices = readOpenRouterPrices(body, configuredModels(priced));
    expect([...(prices ?? [])]).toEqual([
      ['openrouter/anthropic/claude-x', { input: 3, output: 15, cacheRead: 0.3, cacheWrite: undefined }],
      ['openai/unpriced', { input: undefined, output: undefined, cacheRead: undefined, cacheWrite: undefined }],
    ]);
  });

  it('is no list where there is none', () => {
    for (const body of [undefined, null, [], {}, { data: {} }, 'text']) expect(readOpenRouterPrices(body, new Set())).toBeUndefined();
  });
});

it('has no prices without a configuration', () => {
  expect([...configuredModels(defaultConfig())].filter((name) => priceOf({ provider: name.split('/')[0], model: name }, defaultConfig()) !== undefined)).toEqual([]);
});
