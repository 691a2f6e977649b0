/** What an erasure finds, or clears, by place. */
import type { PlaceCount } from './erasure-order';

/** Counts by place, in the order in which places were met. */
export class Counts {
  readonly #byPlace = new Map<string, { files: number; bytes: number; records: number }>();

  add(place: string, { files = 0, bytes = 0, records = 0 }: Partial<Omit<PlaceCount, 'place'>>): void {
    if (files + bytes + records === 0) return;
    const sum = this.#byPlace.get(place) ?? { files: 0, bytes: 0, records: 0 };
    this.#byPlace.set(place, { files: sum.files + files, bytes: sum.bytes + bytes, records: sum.records + records });
  }

  any(): boolean {
    return this.#byPlace.size > 0;
  }

  list(): PlaceCount[] {
    return [...this.#byPlace].map(([place, sum]) => ({ place, ...sum }));
  }
}
