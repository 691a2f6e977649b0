/**
 * Gives back the memory that a process took to load and to start. V8 does so by itself when it has
 * rested for a while, or not at all when its timers keep it a little busy: of two idle processes alike one
 * then holds 7 MiB more than the other. Takes some 20 ms, so it is part of a start and of nothing else.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collects what is unreachable, in this thread. */
export function giveBackStartUpMemory(): void {
  // The collector is a function of contexts that are made while the flag is set.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  collect();
}
