import { asAgentId, parseConfig, type SessionConfig } from '@sessions/domain';
import { searchedRoot, sessionsFileOf } from './store-places';

const places = { stateDir: '/state', homeDir: '/home/a' };
const configOf = (store?: string): SessionConfig => {
  const result = parseConfig(store === undefined ? {} : { session: { store } });
  if (!result.ok) throw new Error('the configuration of this test is wrong');
  return result.config;
};

describe('places of stores', () => {
  it.each([
    [undefined, '/state/agents/main/sessions/sessions.json', '/state/agents/ops/sessions/sessions.json'],
    ['/data/{agentId}/s.json', '/data/main/s.json', '/data/ops/s.json'],
    ['~/x/{agentId}.json', '/home/a/x/main.json', '/home/a/x/ops.json'],
    ['/one/sessions.json', '/one/sessions.json', '/state/agents/ops/sessions/sessions.json'],
  ])('session.store %j: no two agents share one', (store, main, ops) => {
    const config = configOf(store);
    expect(sessionsFileOf(config, asAgentId('main'), places)).toBe(main);
    expect(sessionsFileOf(config, asAgentId('ops'), places)).toBe(ops);
  });

  it.each([
    [undefined, { agentsDir: '/state/agents', sessionsPath: 'sessions/sessions.json' }],
    ['/one/sessions.json', { agentsDir: '/state/agents', sessionsPath: 'sessions/sessions.json' }],
    ['/data/{agentId}/deep/s.json', { agentsDir: '/data', sessionsPath: 'deep/s.json' }],
    ['~/{agentId}/s.json', { agentsDir: '/home/a', sessionsPath: 's.json' }],
    ['/data/{agentId}.json', undefined],
    ['/data/{agentId}/{agentId}.json', undefined],
  ])('session.store %j implies the root that is searched', (store, root) => {
    expect(searchedRoot(configOf(store), places)).toEqual(root);
  });
});
