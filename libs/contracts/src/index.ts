/**
 * The door of the wire contracts: every message and service of `proto/sessions/v1`, and the names
 * of the headers beside them. The list of names is kept in the .proto files, where a name is
 * unique within the package; a new file is added here.
 */
export * from './gen/sessions/v1/compaction';
export * from './gen/sessions/v1/entry';
export * from './gen/sessions/v1/errors';
export * from './gen/sessions/v1/events';
export * from './gen/sessions/v1/jobs';
export * from './gen/sessions/v1/keys';
export * from './gen/sessions/v1/maintenance';
export * from './gen/sessions/v1/router';
export * from './gen/sessions/v1/runtime';
export * from './gen/sessions/v1/store';
export * from './gen/sessions/v1/transcript';
export { CALL_HEADER, TRUSTED_HEADERS } from './call-headers';
export type { CallHeader } from './call-headers';
export { jsonBytes } from './json-bytes';
