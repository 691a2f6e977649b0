/**
 * Writers that note what was acknowledged, a `kill -9` in the middle, and the count afterwards.
 *
 * A message counts as acknowledged when its answer arrived. One that was on its way when the
 * process died may be kept or not, but never twice; its sender sends it again with the same id.
 */
import { openclaw, startGateway } from './gateway.mjs';

const WRITERS = 8;
const KILLS = 3;
const ACKNOWLEDGED_BEFORE_KILL = 200;

const channels = ['telegram', 'discord', 'slack', 'signal'];

const envelopeOf = (writer, id) => ({
  channel: channels[writer % channels.length],
  messageId: id,
  chatType: 'direct',
  sender: { id: `peer-${writer}` },
  text: `message ${id}.`,
});

/** Each writer sends one message after the other until its gateway is gone. */
async function writeUntilKilled(gateway, writers) {
  let acknowledgedNow = 0;
  let killed;
  const write = async (writer) => {
    for (;;) {
      const id = writer.unanswered ?? `w${writer.at}-${(writer.sentCount += 1)}`;
      writer.unanswered = id;
      const answer = await gateway.send(envelopeOf(writer.at, id));
      if (answer === undefined) return;
      writer.unanswered = undefined;
      writer.sessionKey = answer.sessionKey;
      writer.acknowledged.push(id);
      if (answer.status === 'duplicate') writer.duplicates += 1;
      acknowledgedNow += 1;
      if (acknowledgedNow === ACKNOWLEDGED_BEFORE_KILL) killed = gateway.kill();
    }
  };
  await Promise.all(writers.map(write));
  await killed;
  return acknowledgedNow;
}

/** The ids of a session's messages, oldest first, read from the store by the command line. */
async function idsInHistory(stateDir, sessionKey) {
  const history = JSON.parse(await openclaw(stateDir, 'sessions', 'history', sessionKey, '--limit', 'all', '--json'));
  return history.messages.flatMap((message) => [...JSON.stringify(message).matchAll(/message (w\d+-\d+)\./g)].map(([, id]) => id));
}

function judge(writer, found) {
  const times = new Map();
  for (const id of found) times.set(id, (times.get(id) ?? 0) + 1);
  const missing = writer.acknowledged.filter((id) => !times.has(id)).length;
  const doubled = [...times.values()].filter((count) => count > 1).length;
  const kept = found.filter((id) => writer.acknowledged.includes(id));
  const disordered = kept.filter((id, at) => id !== writer.acknowledged[at]).length;
  return { missing, doubled, disordered };
}

/**
 * @param say prints one line
 * @returns true when every acknowledged message is there exactly once and in order
 */
export async function demonstrateCrash(stateDir, say) {
  const writers = Array.from({ length: WRITERS }, (_, at) => ({ at, sentCount: 0, duplicates: 0, acknowledged: [] }));
  for (let round = 1; round <= KILLS; round += 1) {
    const gateway = await startGateway(stateDir);
    const count = await writeUntilKilled(gateway, writers);
    const waiting = writers.filter(({ unanswered }) => unanswered !== undefined).length;
    say(`  kill -9 of process ${gateway.pid}: ${count} messages acknowledged in this life, ${waiting} without an answer`);
  }

  const gateway = await startGateway(stateDir);
  for (const writer of writers) {
    if (writer.unanswered === undefined) continue;
    const answer = await gateway.send(envelopeOf(writer.at, writer.unanswered));
    if (answer === undefined) continue;
    writer.acknowledged.push(writer.unanswered);
    if (answer.status === 'duplicate') writer.duplicates += 1;
  }
  const total = { acknowledged: 0, duplicates: 0, missing: 0, doubled: 0, disordered: 0 };
  for (const writer of writers) {
    const verdict = judge(writer, await idsInHistory(stateDir, writer.sessionKey));
    total.acknowledged += writer.acknowledged.length;
    total.duplicates += writer.duplicates;
    for (const name of Object.keys(verdict)) total[name] += verdict[name];
  }
  await gateway.stop();
  say(`  restarted; the unanswered ones were sent again (${total.duplicates} of them had been kept, and were not kept twice)`);
  say('');
  say(`  acknowledged ${total.acknowledged}, missing ${total.missing}, twice ${total.doubled}, out of order ${total.disordered}`);
  return total.acknowledged > 0 && total.missing + total.doubled + total.disordered === 0;
}
