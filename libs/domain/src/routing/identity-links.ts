import type { SessionConfig } from '../config/parse-config';

/**
 * The name under which `session.identityLinks` lists a peer, by `<channel>:<id>` or the bare id,
 * in any case. The first name in file order wins.
 */
export function linkedName(links: SessionConfig['session']['identityLinks'], channel: string, peerId: string): string | undefined {
  const id = peerId.trim().toLowerCase();
  const qualified = `${channel.toLowerCase()}:${id}`;
  return links.find((link) => link.peers.some((peer) => [id, qualified].includes(peer.toLowerCase())))?.name;
}
