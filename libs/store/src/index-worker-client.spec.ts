import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { storeLayout } from './files/layout';
import { IndexWorkerClient } from './index-worker-client';

describe('the feed of the session index', () => {
  let top: string;
  let client: IndexWorkerClient;
  beforeEach(async () => {
    top = mkdtempSync(path.join(tmpdir(), 'index-feed-'));
    const layout = storeLayout('main', path.join(top, 'sessions.json'));
    mkdirSync(layout.ownDir);
    client = new IndexWorkerClient({ onFailure: () => undefined, onTrouble: () => undefined });
    await client.call('open', {
      indexFile: layout.indexFile,
      sessionsFile: layout.sessionsFile,
      dir: layout.dir,
      ownDir: layout.ownDir,
      agentId: 'main',
      epoch: 1,
      journalBaseSeq: 0,
      journalLastSeq: 0,
      nowMs: 1,
    });
    client.startAt(0);
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await client.close();
    rmSync(top, { recursive: true });
  });

  const put = (seq: number): void => client.push([{ kind: 'put', key: 'agent:main:main', text: `{"updatedAt":${seq}}`, seq }], seq);

  it('is hurried by those who wait for an answer, not by those who follow', async () => {
    jest.spyOn(performance, 'now').mockReturnValue(performance.now() + 1000);
    put(1);
    await client.applied(1);
    const sent = jest.spyOn(client, 'call');
    put(2);
    const followed = client.applied(2);
    expect(sent).not.toHaveBeenCalled();
    const waited = client.reached(2);
    expect(sent).toHaveBeenCalledTimes(1);
    await Promise.all([followed, waited]);
    expect(client.appliedSeq).toBe(2);
  });

  it('reaches those who follow without anybody waiting', async () => {
    put(1);
    put(2);
    await Promise.all([client.applied(1), client.applied(2)]);
    expect(client.appliedSeq).toBe(2);
  });

  it('tells those who follow when it ends', async () => {
    await client.close();
    await expect(client.applied(1)).rejects.toThrow('closed');
  });

  it('is closed once, however many ask for it at whatever moment', async () => {
    const asked = client.call('scanTranscript', { file: 'none.jsonl' }).catch(() => undefined);
    const first = client.close();
    await asked;
    await Promise.all([first, client.close()]);
    await client.close();
  });
});
