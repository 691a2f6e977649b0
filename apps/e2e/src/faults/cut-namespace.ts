/**
 * A network namespace of its own with one link to this machine, which is cut by dropping every packet:
 * nobody is told, sockets stay, and what was sent is sent again when the link is mended. The rules
 * live in that namespace only.
 */
import { execFileSync } from 'node:child_process';

export interface CutNamespace {
  /** Put before a command, it runs in the namespace. */
  readonly launcher: readonly string[];
  /** This machine as seen from inside. */
  readonly hostAddress: string;
  cut(): void;
  mend(): void;
  remove(): void;
}

/** @returns a sentence instead where this process may not make one */
export function createCutNamespace(): CutNamespace | string {
  // One a process; the range of link-local addresses is nobody's.
  const number = process.pid % 16_000;
  const name = `sessions-${process.pid}`;
  const outer = `ss${number}a`;
  const [third, fourth] = [Math.floor(number / 64), (number % 64) * 4];
  const [hostAddress, innerAddress] = [`169.254.${third}.${fourth + 1}`, `169.254.${third}.${fourth + 2}`];
  const ip = (...parameters: string[]): void => void execFileSync('ip', parameters, { stdio: ['ignore', 'ignore', 'pipe'] });
  const nft = (rules: string): void => void execFileSync('ip', ['netns', 'exec', name, 'nft', rules], { stdio: ['ignore', 'ignore', 'pipe'] });
  const remove = (): void => {
    try {
      ip('netns', 'del', name);
    } catch {
      // It was never made.
    }
  };
  try {
    ip('netns', 'add', name);
    ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', 'inside', 'netns', name);
    ip('addr', 'add', `${hostAddress}/30`, 'dev', outer);
    ip('link', 'set', outer, 'up');
    ip('-n', name, 'addr', 'add', `${innerAddress}/30`, 'dev', 'inside');
    ip('-n', name, 'link', 'set', 'inside', 'up');
    ip('-n', name, 'link', 'set', 'lo', 'up');
    nft('add table inet cut');
  } catch (error) {
    remove();
    return `no network namespace can be made here (${String((error as { stderr?: Buffer }).stderr ?? error).trim()})`;
  }
  return {
    launcher: ['ip', 'netns', 'exec', name],
    hostAddress,
    cut: () => nft('add chain inet cut in { type filter hook input priority 0; policy drop; } ; add chain inet cut out { type filter hook output priority 0; policy drop; }'),
    mend: () => nft('flush table inet cut; delete table inet cut; add table inet cut'),
    remove,
  };
}
