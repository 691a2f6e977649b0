/** Verify and repair through the whole service. */
import { appendFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { Finding, HandOverRequest, RepairRequest, VerifyRequest, type VerifyTotals } from '@sessions/contracts';
import { KEY, bench, cleanUpBenches, history, newStateDir, sessionsDir, telegram, type Bench } from '../testing/writer-bench';

cleanUpBenches();

async function verify(made: Bench, agentId = 'main'): Promise<{ findings: Finding[]; totals: VerifyTotals | undefined }> {
  const findings: Finding[] = [];
  let totals: VerifyTotals | undefined;
  for await (const { item } of made.client.verify(VerifyRequest.create({ agentId }))) {
    if (item?.$case === 'finding') findings.push(item.value);
    if (item?.$case === 'totals') totals = item.value;
  }
  return { findings, totals };
}

describe('verify', () => {
  it('finds nothing wrong in a store that was just written', async () => {
    const made = await bench();
    await made.client.deliver(telegram('one'));
    await made.client.deliver(telegram('two'));
    const { findings, totals } = await verify(made);
    expect(findings).toEqual([]);
    expect(totals).toMatchObject({ ok: true, entries: 1, transcripts: 1, lines: 3, messages: 2, findings: 0, findingsOmitted: 0, path: path.join(sessionsDir(made.stateDir), 'sessions.json') });
  });

  it('names a line that cannot be read, and its file', async () => {
    const made = await bench();
    const { sessionId = '' } = await made.client.deliver(telegram('one'));
    await made.client.handOver(HandOverRequest.create({ agentId: 'main' }));
    appendFileSync(path.join(sessionsDir(made.stateDir), `${sessionId}.jsonl`), 'no json\n');
    await made.pool.claimStore({ agentId: 'main' });
    const { findings, totals } = await verify(made);
    expect(findings).toMatchObject([{ kind: 'malformed-lines', wrong: true, path: `${sessionId}.jsonl`, findingId: expect.stringMatching(/^[0-9a-f]{16}$/) as string }]);
    expect(totals).toMatchObject({ ok: false, findings: 1, entries: 1, malformedLines: 1 });
    expect((await history(made)).texts).toEqual(['one']);
  });

  it('answers for an agent without a store', async () => {
    const made = await bench();
    expect(await verify(made)).toMatchObject({ findings: [], totals: { ok: true, entries: 0, findings: 0 } });
  });
});

describe('repair', () => {
  it('cuts a half-written line of another program after it was kept aside, and the store goes on', async () => {
    const stateDir = newStateDir();
    mkdirSync(sessionsDir(stateDir), { recursive: true });
    const file = path.join(sessionsDir(stateDir), 's-1.jsonl');
    const whole = '{"type":"session","version":3,"id":"s-1","timestamp":"2026-06-01T09:00:00.000Z","cwd":"/w"}\n';
    writeFileSync(file, `${whole}{"type":"message","id":"ha`);
    writeFileSync(path.join(sessionsDir(stateDir), 'sessions.json'), JSON.stringify({ [KEY]: { sessionId: 's-1', updatedAt: 1 } }));
    const made = await bench({ stateDir });
    const answer = await made.client.repair(RepairRequest.create({ agentId: 'main' }));
    expect(answer.repaired.map((finding) => finding.kind)).toContain('torn-tail');
    expect(answer.remaining.map((finding) => finding.kind)).not.toContain('torn-tail');
    expect(answer.deeds).toMatchObject([{ deed: 'cut-torn-tail', file: 's-1.jsonl', key: KEY }]);
    expect(answer.totals).toMatchObject({ entries: 1, transcripts: 1, lines: 1, findings: answer.remaining.length });
    expect(readFileSync(file, 'utf8')).toBe(whole);
    expect(readdirSync(path.join(sessionsDir(stateDir), '.store', 'quarantine'))).not.toEqual([]);
    await made.client.deliver(telegram('two'));
    expect((await history(made)).texts).toEqual(['two']);
  });

  it('refuses a choice among findings in a sentence', async () => {
    const made = await bench();
    await expect(made.client.repair(RepairRequest.create({ agentId: 'main', findingIds: ['x'] }))).rejects.toMatchObject({ reason: 'UNSUPPORTED' });
  });
});
