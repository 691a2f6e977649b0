/** For tests that need a store to route to, without files. */
export { serveMemoryStores } from './testing/memory-store';
export type { MemoryStores } from './testing/memory-store';
export { AUTHORITY_CERT, CLIENT_CERT, CLIENT_KEY, SERVER_CERT, SERVER_KEY } from './testing/test-certificates';
export { TOKEN, startRouter } from './testing/router-harness';
export type { RunningRouter } from './testing/router-harness';
