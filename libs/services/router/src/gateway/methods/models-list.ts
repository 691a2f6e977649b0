import { configuredModels, parseModelRef } from '@sessions/domain';
import type { SessionConfig } from '@sessions/domain';
import type { GatewayMethod } from '../method';

/** `models.list`: the models that the configuration names, whichever view is asked for: there is no other catalogue. */
export const modelsList: GatewayMethod = (deps) => Promise.resolve({ payload: { models: modelRows(deps.config()) } });

/** `models.authStatus`: no provider is asked for its state, so there is none to tell of. */
export const modelsAuthStatus: GatewayMethod = (deps) => Promise.resolve({ payload: { ts: deps.clock.nowMs(), providers: [] } });

/** What a client needs to offer them; nothing of how they are reached. */
export function modelRows(config: SessionConfig): readonly object[] {
  return [...configuredModels(config)].flatMap((ref) => {
    const { provider, model } = parseModelRef(ref);
    if (provider === undefined) return [];
    const { api, models = [] } = config.models.providers[provider] ?? {};
    const { name = model, contextWindow, reasoning, input } = models.find(({ id }) => id === model) ?? {};
    const said = { ...(api !== undefined && { api }), ...(contextWindow !== undefined && { contextWindow }), ...(reasoning !== undefined && { reasoning }), ...(input !== undefined && { input }) };
    return [{ provider, id: model, name, ...said, available: true }];
  });
}
