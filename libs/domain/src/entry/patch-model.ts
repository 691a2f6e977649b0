/**
 * What choosing a model does to an entry. The choice is kept as an override; what only held for the
 * model before (its window, its credentials, its fall-back notices) goes with it.
 */
import { parseModelRef, type ModelRef } from '../config/agents';
import { SessionError } from '../errors';
import type { JsonObject, JsonValue } from '../json';

interface ModelChoice {
  readonly set: Readonly<Record<string, JsonValue>>;
  readonly clear: readonly string[];
}

const OVERRIDE = ['providerOverride', 'modelOverride', 'modelOverrideSource'] as const;
/** What the last run used. */
const RUNTIME = ['model', 'modelProvider', 'contextTokens', 'contextBudgetStatus'] as const;
/** What belongs to the choice before. */
const OF_CHOICE = [
  'authProfileOverride', 'authProfileOverrideSource', 'authProfileOverrideCompactionCount',
  'fallbackNoticeSelectedModel', 'fallbackNoticeActiveModel', 'fallbackNoticeReason',
  'modelOverrideFallbackOriginProvider', 'modelOverrideFallbackOriginModel',
] as const;
const PENDING = 'liveModelSwitchPending';

/**
 * @param wanted trimmed text, not empty: `provider/model`, or a model of the default provider; null
 * goes back to the default. Unknown models are taken: they may be configured later.
 * @throws VALIDATION for a name with an empty part.
 */
export function planModelChoice(wanted: string | null, current: JsonObject, defaultModel: ModelRef | undefined): ModelChoice {
  const chosen = wanted === null ? undefined : asOverride(wanted, defaultModel);
  const selectionChanges = current['modelOverride'] !== chosen?.model || current['providerOverride'] !== chosen?.provider;
  const clear = new Set<string>(chosen === undefined ? OVERRIDE : chosen.provider === undefined ? ['providerOverride'] : []);
  const stale = [...(selectionChanges ? OF_CHOICE : []), ...(selectionChanges || !isRunning(current, chosen ?? defaultModel) ? RUNTIME : [])];
  for (const name of stale) if (current[name] !== undefined) clear.add(name);
  if (wanted === null) clear.add(PENDING);
  return {
    set: {
      ...(chosen?.provider === undefined ? {} : { providerOverride: chosen.provider }),
      ...(chosen === undefined ? {} : { modelOverride: chosen.model, modelOverrideSource: 'user' }),
      ...(wanted !== null && selectionChanges ? { [PENDING]: true } : {}),
    },
    clear: [...clear],
  };
}

/** Undefined: the default model, which is no override. */
function asOverride(wanted: string, defaultModel: ModelRef | undefined): ModelRef | undefined {
  if (wanted.startsWith('/') || wanted.endsWith('/')) throw new SessionError('VALIDATION', `invalid model: ${wanted.slice(0, 256)}`, { facts: { field: 'model' } });
  const { provider, model } = parseModelRef(wanted);
  const chosen = { provider: provider?.trim().toLowerCase() ?? defaultModel?.provider, model: model.trim() };
  const isDefault = defaultModel !== undefined && chosen.model === defaultModel.model && chosen.provider === defaultModel.provider?.toLowerCase();
  return isDefault ? undefined : chosen;
}

function isRunning(current: JsonObject, wanted: ModelRef | undefined): boolean {
  return current['model'] === wanted?.model && (current['modelProvider'] === undefined || current['modelProvider'] === wanted?.provider);
}
