/** Addresses and ranges of them, as configurations write them: `10.0.0.7`, `10.0.0.0/8`, `fd00::/8`. */
import { BlockList, isIP } from 'node:net';

const made = new WeakMap<readonly string[], BlockList>();

/** @param ranges what is neither an address nor a range has nobody in it */
export function isInRanges(address: string, ranges: readonly string[]): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  let list = made.get(ranges);
  if (list === undefined) {
    list = listOf(ranges);
    made.set(ranges, list);
  }
  return list.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [, address = '', bits] = /^([^/]+?)(?:\/(\d{1,3}))?$/.exec(range.trim()) ?? [];
    const family = isIP(address);
    const [name, bitsMax] = family === 4 ? (['ipv4', 32] as const) : (['ipv6', 128] as const);
    if (family === 0 || Number(bits ?? bitsMax) > bitsMax) continue;
    if (bits === undefined) list.addAddress(address, name);
    else list.addSubnet(address, Number(bits), name);
  }
  return list;
}
