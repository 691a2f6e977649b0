/**
 * The reader's loop over a stream of any transport. Not a generator: `return` has to work while a
 * `next` is waiting, and a generator would queue it behind that one.
 */

export interface OpenStream {
  next(): Promise<IteratorResult<unknown, undefined>>;
  /** The reader is gone, or has read to the end. */
  leave(): void;
}

/** @param start makes the call; asked once, for the first answer */
export function streamIterator(start: () => OpenStream | Promise<OpenStream>): AsyncIterator<unknown, undefined> {
  let opened: OpenStream | undefined;
  let over = false;
  const finish = (): IteratorResult<unknown, undefined> => {
    over = true;
    opened?.leave();
    return { done: true, value: undefined };
  };
  return {
    next: async () => {
      if (over) return finish();
      try {
        opened ??= await start();
        if (over) return finish();
        const result = await opened.next();
        return result.done || over ? finish() : result;
      } catch (error) {
        if (over) return finish();
        finish();
        throw error;
      }
    },
    return: async () => finish(),
  };
}
