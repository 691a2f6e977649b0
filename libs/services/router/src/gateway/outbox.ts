/**
 * What waits for one client: frames of its own, and the events of the channel that it hears. All of
 * it leaves in the order in which it was given, but for what has to come first, whole frames at a time.
 */
import type { Channel, Piece } from './channel';
import { PIECE_BYTES_MAX } from './channel';
import { partsOf } from './shared-frame';
import type { NumberedFrame } from './shared-frame';

export class Outbox {
  /** Frames, or several whole ones together. All come before what the channel has from `#place` on. */
  #own: (readonly Buffer[])[] = [];
  #ownBytes = 0;
  /** How many of them were pushed to come first. */
  #firstCount = 0;
  #channel: Channel | undefined;
  #place = 0;
  /** The last number given to a broadcast. */
  #seq = 0;

  get channel(): Channel | undefined {
    return this.#channel;
  }

  /** Index of the channel's next event. */
  get place(): number {
    return this.#place;
  }

  get bytes(): number {
    return this.#ownBytes + this.#channelBytes;
  }

  get #channelBytes(): number {
    return this.#channel === undefined ? 0 : this.#channel.bytesFrom(this.#place);
  }

  /** A whole frame for this client alone. */
  push(frame: Buffer): void {
    this.#gather(true);
    this.#add([frame]);
  }

  /** The same, before all that waits but others of its kind. */
  pushFirst(frame: Buffer): void {
    this.#own.splice(this.#firstCount, 0, [frame]);
    this.#firstCount += 1;
    this.#ownBytes += frame.length;
  }

  /** A broadcast for this client alone. @param isLeftOut only its number is taken */
  pushNumbered(frame: NumberedFrame, isLeftOut: boolean): void {
    this.#gather(true);
    this.#seq += 1;
    if (!isLeftOut) this.#add(partsOf(frame, this.#seq));
  }

  /** From now on hears another channel, or none. */
  follow(channel: Channel | undefined): void {
    this.#gather(true);
    this.#channel = channel;
    this.#place = channel?.endPlace ?? 0;
  }

  /** Leaves out the steps of running turns that wait; their numbers are not given again. */
  leaveOutSteps(): void {
    this.#gather(false);
  }

  /** @returns the next of what waits, whole frames of some size; undefined: nothing waits */
  take(): readonly Buffer[] | undefined {
    if (this.#own.length > 0) return this.#takeOwn();
    if (this.#channelBytes === 0) return undefined;
    return this.#moved((this.#channel as Channel).piece(this.#place, this.#seq));
  }

  /** @returns what was pushed to come first */
  takeFirst(): readonly Buffer[] {
    const parts = this.#own.splice(0, this.#firstCount).flat();
    this.#firstCount = 0;
    this.#ownBytes -= bytesOf(parts);
    return parts;
  }

  /** @returns all that waits */
  takeAll(): readonly Buffer[] {
    this.#gather(true);
    const parts = this.#own.flat();
    this.#own = [];
    this.#ownBytes = 0;
    this.#firstCount = 0;
    return parts;
  }

  clear(): void {
    this.#own = [];
    this.#ownBytes = 0;
    this.#firstCount = 0;
    this.#place = this.#channel?.endPlace ?? 0;
  }

  #takeOwn(): readonly Buffer[] {
    let count = 0;
    let bytes = 0;
    for (const frame of this.#own) {
      const more = bytesOf(frame);
      if (count > 0 && bytes + more > PIECE_BYTES_MAX) break;
      bytes += more;
      count += 1;
    }
    this.#ownBytes -= bytes;
    this.#firstCount = Math.max(0, this.#firstCount - count);
    return this.#own.splice(0, count).flat();
  }

  /** Takes the channel's events over, so that something else can come behind them. */
  #gather(withSteps: boolean): void {
    while (this.#channelBytes > 0) this.#add(this.#moved((this.#channel as Channel).piece(this.#place, this.#seq, withSteps)));
  }

  #moved({ parts, place, seq }: Piece): readonly Buffer[] {
    this.#place = place;
    this.#seq = seq;
    return parts;
  }

  #add(parts: readonly Buffer[]): void {
    if (parts.length === 0) return;
    this.#own.push(parts);
    this.#ownBytes += bytesOf(parts);
  }
}

const bytesOf = (parts: readonly Buffer[]): number => parts.reduce((sum, part) => sum + part.length, 0);
