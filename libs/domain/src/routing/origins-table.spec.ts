import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig, type SessionConfig } from '../config/parse-config';
import { parseEnvelope } from '../inbound/envelope';
import { lookupCandidates, normaliseSessionKey } from '../keys/session-key';
import { resolveRoute } from './resolve-session-key';

interface Origin {
  readonly name: string;
  readonly config: string;
  readonly envelope: unknown;
  readonly agentId: string;
  readonly key: string;
}

const table = JSON.parse(readFileSync(join(__dirname, 'testdata', 'origins.json'), 'utf8')) as { configs: Record<string, unknown>; origins: readonly Origin[] };

function configNamed(name: string): SessionConfig {
  const result = parseConfig(table.configs[name]);
  if (!result.ok) throw new Error(`configuration ${name} of the table is refused`);
  return result.config;
}

const configs = new Map(Object.keys(table.configs).map((name) => [name, configNamed(name)]));

function routeOf(origin: Origin): { agentId: string; key: string } {
  const config = configs.get(origin.config);
  if (config === undefined) throw new Error(`no configuration ${origin.config}`);
  const route = resolveRoute(parseEnvelope(origin.envelope), config);
  return { agentId: route.agentId, key: route.sessionKey };
}

describe('the recorded origins', () => {
  it('are at least five hundred', () => {
    expect(table.origins.length).toBeGreaterThanOrEqual(500);
  });

  it('still have the keys they were recorded with', () => {
    const changed = table.origins.filter((origin) => {
      const { agentId, key } = routeOf(origin);
      return agentId !== origin.agentId || key !== origin.key;
    });
    expect(changed.map((origin) => ({ ...origin, now: routeOf(origin) }))).toEqual([]);
  });

  it('have keys in normal form that are found first under themselves', () => {
    for (const { key } of table.origins) {
      expect(normaliseSessionKey(key)).toBe(key);
      expect(lookupCandidates(key)[0]).toBe(key);
    }
  });
});
