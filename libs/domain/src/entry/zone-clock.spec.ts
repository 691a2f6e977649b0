import { existsSync, readFileSync } from 'node:fs';
import { ZoneClock } from './zone-clock';

/**
 * Every zone and hour with SESS_ALL_ZONES=1 (minutes); without it a sample that holds each kind of
 * change: half an hour, at midnight, southern, Ramadan, Greenland's move over midnight, none at all.
 */
const ALL = process.env['SESS_ALL_ZONES'] === '1';
const SAMPLE = [
  'UTC', 'Europe/Berlin', 'Atlantic/Azores', 'America/New_York', 'America/Santiago', 'America/Havana', 'America/Nuuk', 'America/Scoresbysund',
  'Africa/Casablanca', 'Africa/Cairo', 'Asia/Beirut', 'Asia/Gaza', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'Antarctica/Troll', 'Pacific/Chatham',
];
const QUARTER_MS = 900_000;
const DAY_MS = 86_400_000;
const FROM_MS = Date.UTC(2024, 0, 1);
const TO_MS = Date.UTC(2031, 0, 1);

function zones(): readonly string[] {
  if (!ALL) return SAMPLE;
  const links = '/usr/share/zoneinfo/tzdata.zi';
  const aliases = existsSync(links) ? [...readFileSync(links, 'utf8').matchAll(/^L \S+ (\S+)$/gm)].map((match) => match[1] ?? '') : [];
  return [...new Set([...Intl.supportedValuesOf('timeZone'), ...aliases])].filter((name) => {
    try {
      return new Intl.DateTimeFormat('en', { timeZone: name }).format(0) !== '';
    } catch {
      return false;
    }
  });
}

/** Reference: what the wall clock shows, field by field, as sortable text. */
function wallReader(timeZone: string): (atMs: number) => string {
  const format = new Intl.DateTimeFormat('en-CA', { timeZone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit' });
  return (atMs) => {
    const parts = Object.fromEntries(format.formatToParts(atMs).map((part) => [part.type, part.value]));
    return `${parts['year'] ?? ''}-${parts['month'] ?? ''}-${parts['day'] ?? ''} ${parts['hour'] ?? ''}:${parts['minute'] ?? ''}`;
  };
}

/** Instants near a change of the offset, to within half a day, found by the wall clock alone. */
function changes(wall: (atMs: number) => string): number[] {
  const found: number[] = [];
  let before = '';
  for (let atMs = FROM_MS; atMs < TO_MS; atMs += DAY_MS) {
    const hour = wall(atMs).slice(11);
    if (before !== '' && hour !== before) found.push(atMs - DAY_MS / 2);
    before = hour;
  }
  return found;
}

/** Begin of each hour of each day around `nearMs`: first quarter at which the wall shows it or more. */
function boundaries(wall: (atMs: number) => string, nearMs: number): Map<string, number> {
  const begin = Math.floor(nearMs / QUARTER_MS) * QUARTER_MS - 3 * DAY_MS;
  const shown: { atMs: number; text: string }[] = [];
  for (let atMs = begin; atMs < begin + 6 * DAY_MS; atMs += QUARTER_MS) shown.push({ atMs, text: wall(atMs) });
  const days = [...new Set(shown.map(({ text }) => text.slice(0, 10)))].slice(1, -1);
  const result = new Map<string, number>();
  for (const day of days) {
    for (let hour = 0; hour < 24; hour += 1) {
      const target = `${day} ${String(hour).padStart(2, '0')}:00`;
      const reached = shown.find(({ text }) => text >= target);
      if (reached !== undefined) result.set(target, reached.atMs);
    }
  }
  return result;
}

describe('ZoneClock', () => {
  it(
    'finds the boundary that a reading of the wall clock finds, in every zone around every change of 2024 to 2030 at every hour',
    () => {
      let compared = 0;
      const wrong: string[] = [];
      for (const zone of zones()) {
        const wall = wallReader(zone);
        const clock = new ZoneClock(zone);
        const places = changes(wall);
        for (const nearMs of places.length === 0 ? [Date.UTC(2026, 5, 1)] : places) {
          const known = boundaries(wall, nearMs);
          for (let hour = 0; hour < 24; hour += 1) {
            const own = [...new Set([...known].filter(([text]) => text.endsWith(`${String(hour).padStart(2, '0')}:00`)).map(([, atMs]) => atMs))].sort((left, right) => left - right);
            for (let at = 1; at < own.length; at += 1) {
              const [from = 0, to = 0] = [own[at - 1], own[at]];
              for (const nowMs of [from, to - 1]) {
                compared += 1;
                const [last, next] = [clock.lastBoundary(nowMs, hour), clock.nextBoundary(nowMs, hour)];
                if (last !== from || next !== to) wrong.push(`${zone} ${String(hour)} at ${new Date(nowMs).toISOString()}: ${new Date(last).toISOString()}, ${new Date(next).toISOString()}`);
              }
            }
          }
        }
      }
      expect(wrong.slice(0, 5)).toEqual([]);
      expect(compared).toBeGreaterThan(10_000);
    },
    ALL ? 1_800_000 : 60_000,
  );

  it('begins an hour that the day skips right after the gap, and one that it has twice the first time', () => {
    const berlin = new ZoneClock('Europe/Berlin');
    expect(new Date(berlin.lastBoundary(Date.UTC(2026, 2, 29, 12), 2)).toISOString()).toBe('2026-03-29T01:00:00.000Z');
    expect(new Date(berlin.lastBoundary(Date.UTC(2026, 9, 25, 12), 2)).toISOString()).toBe('2026-10-25T00:00:00.000Z');
  });
});
