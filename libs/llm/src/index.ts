/** The door of the model providers. */
export { ANSWER_CHARS_MAX, ANSWER_TOKENS_DEFAULT, MODEL_LIMITS, ModelFailure, THINKING_TOKENS, collectAnswer } from './chat-model';
export type { ChatAnswer, ChatEvent, ChatModel, ChatOptions, ChatRequest, ChatTool, ChatUsage, FailureKind, ModelLimits, StopReason, ThinkingEffort } from './chat-model';
export { ECHO_CHARS_MAX, ECHO_REF, createEchoModel } from './echo';
export { UNREADABLE_ARGUMENTS } from './message-parts';
export { openModel } from './provider-model';
export { RETRY_LIMITS, withModelRetries } from './retry';
export type { RetryLimits, RetryWork } from './retry';
