import type { GatewayMethod } from '../method';

/** `artifacts.list`: none. Nothing here is kept as an artifact; the control UI asks beside `sessions.files.list`, and shows neither when this is refused. */
export const artifactsList: GatewayMethod = () => Promise.resolve({ payload: { artifacts: [] } });
