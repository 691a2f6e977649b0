/** Who sent a message, as its identity has it: `<channel>/<account>/<id>/<message>`, at the beginning of a string. */

/** Channel and account of a message's identity, from the beginning of its string: `telegram/default/<id>/<message>`. */
const IDENTITY_BEFORE = /(?:^|")([a-z][\w-]{0,63})\/[^\s/"\\]{1,64}$/i;
export const IDENTITY_BEFORE_BYTES = 160;

/** Who sent a message, as its identity says it. */
export interface Sender {
  /** Undefined: whatever channel. */
  readonly channel?: string | undefined;
  readonly id: string;
  /** Only in these letters; otherwise in small and capital ones of ASCII alike. */
  readonly exact?: boolean;
}

export interface SenderNeedle {
  readonly channels: ReadonlySet<string | undefined>;
  readonly exact: boolean;
}

/** What stands before an id between slashes says that it is the sender of a message on one of the channels. */
export function isIdentity(before: string, channels: ReadonlySet<string | undefined>): boolean {
  const channel = IDENTITY_BEFORE.exec(before)?.[1]?.toLowerCase();
  return channel !== undefined && (channels.has(undefined) || channels.has(channel));
}

export function sendersById(senders: Iterable<Sender>): Iterable<SenderNeedle & { readonly id: string }> {
  const byId = new Map<string, { readonly id: string; readonly exact: boolean; readonly channels: Set<string | undefined> }>();
  for (const { channel, id, exact = false } of senders) {
    const name = `${exact ? 'exact' : 'anyhow'} ${id}`;
    const one = byId.get(name) ?? { id, exact, channels: new Set() };
    byId.set(name, one);
    one.channels.add(channel);
  }
  return byId.values();
}

/** Letters of ASCII: bytes of other scripts stay as they are. */
export function inSmallLetters(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

/** All spellings of a window. */
export function inEitherLetters(window: Buffer): Buffer[] {
  return [...window].reduce<Buffer[]>(
    (spelled, byte) => {
      const small = inSmallLetters(byte);
      const both = small >= 0x61 && small <= 0x7a ? [small, small & ~0x20] : [byte];
      return spelled.flatMap((before) => both.map((one) => Buffer.from([...before, one])));
    },
    [Buffer.alloc(0)],
  );
}
