/**
 * A link to a nats-server that does not keep its messages as they are: a TCP proxy on loopback that
 * understands where a message of NATS begins and ends, and doubles it, holds it back behind later
 * ones, or lets it vanish. Both ways; what is no message (INFO, CONNECT, SUB, PING …) passes as it is,
 * in its place.
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
  readonly done: { doubled: number; heldBack: number; vanished: number; passed: number };
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

/** @param random from 0 up to 1 */
export async function createUnfaithfulLink(targetPort: number, random: () => number): Promise<UnfaithfulLink> {
  const sockets = new Set<Socket>();
  const done = { doubled: 0, heldBack: 0, vanished: 0, passed: 0 };
  let how: Unfaithfulness | undefined;

  const passOn = (to: Socket, frame: Buffer): void => {
    if (!to.destroyed) to.write(frame);
  };
  const way = (from: Socket, to: Socket): void => {
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
        if (isMessage) treatMessage(frame);
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
    way(inner, outer);
    way(outer, inner);
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
