import {
  CALL_HEADER,
  Event,
  ListEntriesResponse,
  ListSessionsResponse,
  SessionRow,
  StoreServiceService,
  TRUSTED_HEADERS,
} from './index';

/** Field number of `encoded_rows` in either list. */
const ROWS = { entries: 3, sessions: 1 };

const LENGTH_DELIMITED = 2;

/** Reads field `wanted` as `repeated SessionRow`, as a reader would that declares it so. */
function rowsOf(bytes: Uint8Array, wanted: number): SessionRow[] {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const rows: SessionRow[] = [];
  while (at < bytes.length) {
    const tag = varint();
    const value = varint();
    if ((tag & 7) !== LENGTH_DELIMITED) continue;
    at += value;
    if (tag >>> 3 === wanted) rows.push(SessionRow.decode(bytes.subarray(at - value, at)));
  }
  return rows;
}

describe('the contracts', () => {
  const rows = ['a', 'b'].map((name) =>
    SessionRow.create({ key: `agent:main:${name}`, agentId: 'main', label: name, updatedAtMs: 1_780_000_000_000, totalTokens: 0 }),
  );
  const encodedRows = rows.map((row) => Buffer.from(SessionRow.encode(row).finish()));

  it('carry ready-made rows that read as rows', () => {
    const entries = ListEntriesResponse.encode(ListEntriesResponse.create({ encodedRows, totalCount: 2, path: 'p' })).finish();
    const sessions = ListSessionsResponse.encode(ListSessionsResponse.create({ encodedRows, totalCount: 2 })).finish();
    expect(rowsOf(entries, ROWS.entries)).toEqual(rows);
    expect(rowsOf(sessions, ROWS.sessions)).toEqual(rows);
  });

  it('tell absent from zero, false and empty', () => {
    const given = SessionRow.create({ key: 'k', agentId: 'main', updatedAtMs: 0, systemSent: false, label: '' });
    const read = SessionRow.decode(SessionRow.encode(given).finish());
    expect(read).toMatchObject({ updatedAtMs: 0, systemSent: false, label: '' });
    expect(read.status).toBeUndefined();
    expect(read.totalTokensFresh).toBeUndefined();
  });

  it('pass JSON on byte for byte', () => {
    const lineJson = Buffer.from('{"b":1, "a":1.0,"u":"\\u00e9"}');
    const event = Event.create({ agentId: 'main', body: { $case: 'message', value: { messageId: 'm', lineJson, tooLarge: false } } });
    const read = Event.decode(Event.encode(event).finish());
    expect(read.body?.$case === 'message' && Buffer.from(read.body.value.lineJson ?? []).equals(lineJson)).toBe(true);
  });

  it('carry instants beyond 32 bits as numbers', () => {
    const atMs = Number.MAX_SAFE_INTEGER;
    expect(Event.decode(Event.encode(Event.create({ atMs })).finish()).atMs).toBe(atMs);
  });

  it('name every method of a service by its path', () => {
    for (const [member, { path }] of Object.entries(StoreServiceService)) {
      expect(path.toLowerCase()).toBe(`/sessions.v1.storeservice/${member.toLowerCase()}`);
    }
  });

  it('name each header once, in any case', () => {
    const names = Object.values(CALL_HEADER).map((name) => name.toLowerCase());
    expect(new Set(names).size).toBe(names.length);
    expect(TRUSTED_HEADERS).toEqual(['Sess-Caller', 'Sess-Scopes', 'Sess-Hops']);
  });
});
