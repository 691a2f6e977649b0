/** From the configuration to a model that can be asked: `models.providers` names the places, a reference names the model. */
import type { ModelRef, SessionConfig } from '@sessions/domain';
import { createAnthropicModel } from './anthropic';
import { MODEL_LIMITS, ModelFailure, type ChatModel, type ModelLimits } from './chat-model';
import { ECHO_REF, createEchoModel } from './echo';
import { createOpenAiModel } from './openai-compatible';

/** What one model's requests are made from. */
export interface ProviderModel {
  readonly provider: string;
  readonly model: string;
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  /** Longest answer as configured, tokens. */
  readonly maxTokens: number | undefined;
  readonly limits: ModelLimits;
}

const DEFAULT_BASE_URLS = { 'openai-completions': 'https://api.openai.com/v1', 'anthropic-messages': 'https://api.anthropic.com' } as const;

type Api = keyof typeof DEFAULT_BASE_URLS;

/** The provider's protocol; its own name says it where nothing is configured. */
function apiOf(provider: string, configured: Api | undefined): Api | undefined {
  if (configured !== undefined) return configured;
  if (provider === 'anthropic') return 'anthropic-messages';
  return provider === 'openai' ? 'openai-completions' : undefined;
}

/**
 * Makes no connection. `demo/echo` is there without being configured.
 * @throws MODEL_FAILED (`unconfigured`) for a provider that is not configured or speaks another protocol.
 */
export function openModel(config: Pick<SessionConfig, 'models'>, ref: ModelRef, limits: ModelLimits = MODEL_LIMITS): ChatModel {
  const provider = ref.provider ?? '';
  const { model } = ref;
  const configured = Object.hasOwn(config.models.providers, provider) ? config.models.providers[provider] : undefined;
  if (configured === undefined && provider === ECHO_REF.provider && model === ECHO_REF.model) return createEchoModel();
  const api = apiOf(provider, configured?.api);
  if (configured === undefined || api === undefined) throw new ModelFailure('unconfigured', { provider, model });
  const settings: ProviderModel = {
    provider,
    model,
    baseUrl: configured.baseUrl ?? DEFAULT_BASE_URLS[api],
    apiKey: configured.apiKey,
    maxTokens: configured.models.find(({ id }) => id === model)?.maxTokens,
    limits,
  };
  return api === 'anthropic-messages' ? createAnthropicModel(settings) : createOpenAiModel(settings);
}
