/**
 * A link to a nats-server that does not keep its messages as they are: a TCP proxy on loopback that
 * understands where a message of NATS begins and ends, and doubles it, holds it back behind later
 * ones, or lets it vanish. Both ways; what is no message (INFO, CONNECT, SUB, PING …) passes as it is,
 * in its place. It can also make whoever connects over it look like a newer release.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** Of a thousand messages, each way. */
export interface Unfaithfulness {
  readonly doubled: number;
  readonly heldBack: number;
  readonly vanished: number;
}

export interface UnfaithfulLink {
  readonly url: string;
  /** What it has done so far. */
  readonly done: { doubled: number; heldBack: number; vanished: number; passed: number; newer: number };
  /** From now on; undefined: faithful again. */
  treat(how: Unfaithfulness | undefined): void;
  close(): Promise<void>;
}

/** A message held back leaves behind so many later ones, or after so long. */
const HELD_BEHIND_MAX = 6;
const HELD_MS_MAX = 40;
const LINE_END = Buffer.from('\r\n');

/** Takes a connection's bytes apart: a command, with the body of those that have one. */
export class NatsFrames {
  #rest: Buffer = Buffer.alloc(0);

  take(bytes: Buffer): { readonly frame: Buffer; readonly isMessage: boolean }[] {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const frames = [];
    for (;;) {
      const lineEnd = this.#rest.indexOf(LINE_END);
      if (lineEnd < 0) return frames;
      const line = this.#rest.toString('latin1', 0, lineEnd);
      const isMessage = /^H?(PUB|MSG)\s/i.test(line);
      // The last number of the line is the length of headers and payload together.
      const length = lineEnd + 2 + (isMessage ? Number(line.trimEnd().split(/\s+/).at(-1)) + 2 : 0);
      if (this.#rest.length < length) return frames;
      frames.push({ frame: this.#rest.subarray(0, length), isMessage });
      this.#rest = this.#rest.subarray(length);
    }
  }
}

/** Number 15 000, which no message has: five bytes. */
const UNKNOWN_FIELD = Buffer.concat([Buffer.from([0xc2, 0xa9, 0x07, 0x05]), Buffer.from('newer')]);
const UNKNOWN_HEADER = Buffer.from('Sess-Newer: of a later release\r\n');

/**
 * A message of ours on its way to the server as a newer release would send it: with a field and, where
 * it has headers, with a header that nobody knows. Undefined: not one of ours, or an empty one.
 */
export function asIfNewer(frame: Buffer): Buffer | undefined {
  const lineEnd = frame.indexOf(LINE_END);
  const words = frame.toString('latin1', 0, lineEnd).trim().split(/\s+/);
  const hasHeaders = words[0]?.toUpperCase() === 'HPUB';
  const total = Number(words.pop());
  const headerLength = hasHeaders ? Number(words.pop()) : 0;
  const subject = words[1] ?? '';
  // Answers have headers; what has none on an inbox is a word of the transport.
  const isOurs = subject.startsWith('sess.') || (hasHeaders && subject.startsWith('_INBOX'));
  if (!isOurs || total === headerLength) return undefined;
  const content = frame.subarray(lineEnd + 2, frame.length - 2);
  const headers = hasHeaders ? Buffer.concat([content.subarray(0, headerLength - 2), UNKNOWN_HEADER, LINE_END]) : Buffer.alloc(0);
  const payload = Buffer.concat([content.subarray(headerLength), UNKNOWN_FIELD]);
  const lengths = hasHeaders ? [headers.length, headers.length + payload.length] : [payload.length];
  return Buffer.concat([Buffer.from(`${[...words, ...lengths].join(' ')}\r\n`), headers, payload, LINE_END]);
}

/**
 * @param random from 0 up to 1
 * @param isNewer who connects over it speaks as a newer release would
 */
export async function createUnfaithfulLink(targetPort: number, random: () => number, isNewer = false): Promise<UnfaithfulLink> {
  const sockets = new Set<Socket>();
  const done = { doubled: 0, heldBack: 0, vanished: 0, passed: 0, newer: 0 };
  let how: Unfaithfulness | undefined;

  const passOn = (to: Socket, frame: Buffer): void => {
    if (!to.destroyed) to.write(frame);
  };
  const changed = (frame: Buffer): Buffer => {
    const newer = asIfNewer(frame);
    if (newer !== undefined) done.newer += 1;
    return newer ?? frame;
  };
  const way = (from: Socket, to: Socket, speaksNewer: boolean): void => {
    const frames = new NatsFrames();
    const held = new Set<{ behind: number; leave: () => void }>();
    const hold = (frame: Buffer): void => {
      const leave = (): void => {
        clearTimeout(timer);
        if (held.delete(one)) passOn(to, frame);
      };
      const one = { behind: 1 + Math.floor(random() * HELD_BEHIND_MAX), leave };
      const timer = setTimeout(leave, HELD_MS_MAX);
      held.add(one);
    };
    const treatMessage = (frame: Buffer): void => {
      const lot = random() * 1000;
      const { doubled, heldBack, vanished } = how ?? { doubled: 0, heldBack: 0, vanished: 0 };
      if (lot < vanished) {
        done.vanished += 1;
      } else if (lot < vanished + heldBack) {
        done.heldBack += 1;
        hold(frame);
      } else if (lot < vanished + heldBack + doubled) {
        done.doubled += 1;
        passOn(to, frame);
        // Half of them at once, half behind later ones.
        if (random() < 0.5) passOn(to, frame);
        else hold(frame);
      } else {
        done.passed += 1;
        passOn(to, frame);
      }
      for (const one of [...held]) {
        one.behind -= 1;
        if (one.behind < 0) one.leave();
      }
    };
    sockets.add(from);
    from.on('data', (bytes: Buffer) => {
      for (const { frame, isMessage } of frames.take(bytes)) {
        if (isMessage) treatMessage(speaksNewer ? changed(frame) : frame);
        else passOn(to, frame);
      }
    });
    from.on('error', () => to.destroy());
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
  };

  const server = createServer((inner) => {
    const outer = connect(targetPort, '127.0.0.1');
    way(inner, outer, isNewer);
    way(outer, inner, false);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `nats://127.0.0.1:${address.port}`,
    done,
    treat: (next) => (how = next),
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
