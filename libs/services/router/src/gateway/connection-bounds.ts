/** Bounds of one WebSocket of the gateway. */

/** Time for a `connect` request. */
export const HANDSHAKE_TIMEOUT_MS = 15_000;
/** Bytes that may arrive before `connect` is accepted. */
export const HANDSHAKE_BYTES_MAX = 64 * 1024;
/** Largest frame afterwards. */
export const FRAME_BYTES_MAX = 25 * 1024 * 1024;
/** What may wait for a client that does not read. */
export const BUFFERED_BYTES_MAX = 50 * 1024 * 1024;
/** Of that, where steps of a running turn begin to be left out. */
export const STEPS_SHARE = 0.5;
/** How often a connected client hears a `tick` and is asked for a sign of life. */
export const TICK_INTERVAL_MS = 30_000;
/** Requests of one connection that are worked on at a time; one more is refused. */
export const REQUESTS_IN_FLIGHT_MAX = 128;
/** Sessions that one connection may follow by key. */
export const FOLLOWED_KEYS_MAX = 1000;
/** Time for a client to answer a close before its socket is cut. */
export const CLOSE_GRACE_MS = 2_000;
