/** What merging lists of several stores looks at, read from a row's bytes without decoding the rest. */
import { BinaryReader } from '@bufbuild/protobuf/wire';

export interface RowHead {
  readonly key: string;
  /** Absent in the entry: sorts last. */
  readonly updatedAtMs: number | undefined;
}

/** Field numbers of SessionRow. */
const KEY_FIELD = 1;
const UPDATED_AT_FIELD = 4;

/** Fields are written in ascending order, so the head ends at the first later one. */
export function readRowHead(encodedRow: Uint8Array): RowHead {
  const reader = new BinaryReader(encodedRow);
  let key = '';
  let updatedAtMs: number | undefined;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field > UPDATED_AT_FIELD) break;
    if (field === KEY_FIELD) key = reader.string();
    else if (field === UPDATED_AT_FIELD) updatedAtMs = Number(reader.int64());
    else reader.skip(wireType, field);
  }
  return { key, updatedAtMs };
}
