/**
 * Answers of two deployments in a form that can be compared: what differs by nature (ids, times,
 * ports, directories, processes) gets a name, and the same thing gets the same name each time.
 */
export type Comparable = (text: string) => string;

const TIMES = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z|\b1[789]\d{11}\b/gu;
const AGES = /\bjust now\b|\b\d+ (second|minute|hour)s? ago\b|\b\d+[smh] ago\b/gu;
/** Members whose value is a duration, an age or a process. */
const MEMBERS = /("(?:ageMs|age|durationMs|uptimeMs|pid|epoch|instance|connId|ts)": ?)("[^"]*"|\d+)/gu;
/** How busy the process has been. */
const EVENT_LOOP = /("eventLoop": ?)\{[^{}]*\}/gu;
const UUIDS = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gu;
const RECORD_IDS = /(")[0-9a-f]{8}(")/gu;

/** For the answers of one deployment, in the order in which they were asked for. */
export function comparableOf(stateDir: string): Comparable {
  const names = new Map<string, string>();
  const nameOf = (kind: string, value: string): string => {
    const known = names.get(value) ?? `<${kind} ${names.size + 1}>`;
    names.set(value, known);
    return known;
  };
  return (text) =>
    text
      .replaceAll(stateDir, '<state>')
      .replace(/127\.0\.0\.1:\d+/gu, '127.0.0.1:<port>')
      .replace(/^Owner: process \d+ \(.*\)$/gmu, 'Owner: <process>')
      .replace(EVENT_LOOP, '$1"<own>"')
      .replace(MEMBERS, '$1"<own>"')
      .replace(TIMES, '<time>')
      .replace(AGES, '<age>')
      .replace(UUIDS, (id) => nameOf('id', id))
      .replace(RECORD_IDS, (id) => nameOf('record', id))
      // Columns are as wide as what stands in them.
      .replace(/ {2,}|-{3,}/gu, ' ');
}
