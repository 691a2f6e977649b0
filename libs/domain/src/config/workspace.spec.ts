import type { AgentId } from '../ids';
import { parseConfig, type SessionConfig } from './parse-config';
import { namedWorkspace, workspaceFor } from './workspace';

const places = { stateDir: '/state', homeDir: '/home/ann' };
const configOf = (agents: unknown): SessionConfig => {
  const parsed = parseConfig({ agents });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
};
const of = (agents: unknown, id: string): string => workspaceFor(configOf(agents), id as AgentId, places);
const list = [{ id: 'work', default: true }, { id: 'home', workspace: '~/notes' }, { id: 'lab' }];

it('is the one that the agent names, with the home directory for a tilde', () => {
  expect(of({ list }, 'home')).toBe('/home/ann/notes');
  expect(of({ list: [{ id: 'main', workspace: '~other/x' }] }, 'main')).toBe('~other/x');
  expect(of({ list, defaults: { workspace: '/all' } }, 'home')).toBe('/home/ann/notes');
});

it('is for the default agent that of the defaults, and for each other a directory in it', () => {
  const agents = { list, defaults: { workspace: '~/all/' } };
  expect(['work', 'lab', 'found-on-disk'].map((id) => of(agents, id))).toEqual(['/home/ann/all/', '/home/ann/all/lab', '/home/ann/all/found-on-disk']);
  expect(of({ defaults: { workspace: '/all' } }, 'main')).toBe('/all');
});

it('is below the state directory where nothing is named', () => {
  expect(['work', 'lab', 'found-on-disk'].map((id) => of({ list }, id))).toEqual(['/state/workspace', '/state/workspace-lab', '/state/workspace-found-on-disk']);
  expect(of(undefined, 'main')).toBe('/state/workspace');
  expect(namedWorkspace(configOf({ list }), 'lab' as AgentId)).toBeUndefined();
});
