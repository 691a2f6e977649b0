/** A proxy that vouches for its users, within what the configuration asks of it and of them. */
import { startRouter } from '../testing/router-harness';

it('takes of a trusted proxy the users that the configuration names, with the headers that it always sends', async () => {
  const trustedProxy = { userHeader: 'X-User', requiredHeaders: ['X-Forwarded-Proto'], allowUsers: ['ann'] };
  const open = await startRouter({ gateway: { auth: { mode: 'trusted-proxy', trustedProxy }, trustedProxies: ['127.0.0.0/8'] } }, { auth: {} });
  const statusOf = async (headers: Record<string, string>): Promise<number> => (await fetch(`${open.url}/sessions/agent:main:nope/history`, { headers: { 'x-openclaw-scopes': 'operator.read', ...headers } })).status;
  try {
    const proto = { 'x-forwarded-proto': 'https' };
    expect(await statusOf({ ...proto, 'x-user': ' ann ' })).toBe(404);
    const refused: Record<string, string>[] = [{}, proto, { 'x-user': 'ann' }, { 'x-forwarded-proto': '', 'x-user': 'ann' }, { ...proto, 'x-user': 'bob' }, { ...proto, 'x-user': 'ANN' }, { ...proto, 'x-user': 'ann, bob' }];
    for (const not of refused) expect(await statusOf(not)).toBe(401);
  } finally {
    await open.stop();
  }
});
