/** The door of the model providers. */
export { ANSWER_CHARS_MAX, ANSWER_TOKENS_DEFAULT, MODEL_LIMITS, ModelFailure, collectAnswer } from './chat-model';
export type { ChatAnswer, ChatEvent, ChatModel, ChatOptions, ChatRequest, ChatTool, ChatUsage, FailureKind, ModelLimits, StopReason } from './chat-model';
export { createPriceCache } from './price-cache';
export type { PriceCache, PriceCacheOptions } from './price-cache';
export { openModel } from './provider-model';
export { RETRY_LIMITS, withModelRetries } from './retry';
export type { RetryLimits, RetryWork } from './retry';
