import { configuredSecrets } from './configured-secrets';
import { OPTIONS } from './option-table';
import { parseConfig } from './parse-config';

it('names every secret of a configuration', () => {
  const result = parseConfig(
    {
      gateway: { auth: { token: 'secret-1', password: 'secret-2', tokens: [{ name: 'ann', token: 'secret-3' }] }, remote: { token: 'secret-4', password: 'secret-5' } },
      hooks: { token: 'secret-6' },
      models: { providers: { one: { apiKey: 'secret-7' }, other: {} } },
    },
    {},
  );
  if (!result.ok) throw new Error(JSON.stringify(result));
  expect(Object.values(OPTIONS).filter((option) => 'secret' in option && option.secret === true)).toHaveLength(7);
  expect([...configuredSecrets(result.config)].sort()).toEqual(['secret-1', 'secret-2', 'secret-3', 'secret-4', 'secret-5', 'secret-6', 'secret-7']);
});
