/** Waiting for what is to become true, never for time alone. */
const LOOK_EVERY_MS = 20;
const GIVE_UP_AFTER_MS = 20_000;

/** Resolves with the first value of `look` that is not undefined. @throws naming `what` when none comes */
export async function waitUntil<T>(what: string, look: () => T | undefined | Promise<T | undefined>, giveUpAfterMs = GIVE_UP_AFTER_MS): Promise<T> {
  const endAtMs = Date.now() + giveUpAfterMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (Date.now() > endAtMs) throw new Error(`did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
