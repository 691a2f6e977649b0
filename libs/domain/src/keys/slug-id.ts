import { DEFAULT_AGENT_ID, type AgentId } from '../ids';

/** Longest slugged id, in UTF-16 units. */
export const SLUG_LENGTH_MAX = 64;

/** The account a message without one belongs to. */
export const DEFAULT_ACCOUNT_ID = 'default';

/**
 * Lower-cases `text` and turns it into `[a-z0-9][a-z0-9_-]{0,63}`: every run of other characters
 * becomes one `-`, none are left at the ends (`Work Bot` is `work-bot`).
 * @returns `fallback` when nothing usable is left.
 */
export function slugId(text: string, fallback: string): string {
  const slug = text
    .trim()
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[-_]+/, '')
    .slice(0, SLUG_LENGTH_MAX)
    .replace(/-+$/, '');
  return slug === '' ? fallback : slug;
}

/** The agent id that `text` means; an empty one means the default agent. */
export function slugAgentId(text: string): AgentId {
  return slugId(text, DEFAULT_AGENT_ID) as AgentId;
}

/** The account id as it appears in keys. */
export function slugAccountId(text: string): string {
  return slugId(text, DEFAULT_ACCOUNT_ID);
}
