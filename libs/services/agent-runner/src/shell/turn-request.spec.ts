import { BeginTurnResponse, RunRequest, TurnJob, TurnSettings, TurnToggles } from '@sessions/contracts';
import { defaultConfig, type JsonObject } from '@sessions/domain';
import { turnRequest } from './turn-request';

function asked(run: Partial<RunRequest>, entry: JsonObject) {
  const begun = BeginTurnResponse.create({ sessionKey: 'agent:main:main', settings: TurnSettings.create({ run: RunRequest.create(run) }) });
  return turnRequest({ config: defaultConfig(), agentId: 'main', job: TurnJob.create({ runId: 'r' }), begun, entry, offerTools: () => [] });
}

describe('what a runtime is told of the settings', () => {
  const entry = { thinkingLevel: 'high', verboseLevel: 'on', reasoningLevel: 'stream', execHost: 'node' };

  it('is the session\'s where the message says nothing', () => {
    expect(asked({}, entry)).toMatchObject({ thinkingLevel: 'high', toggles: { verboseLevel: 'on', reasoningLevel: 'stream', execHost: 'node' } });
    expect(asked({}, {}).toggles).toBeUndefined();
  });

  it('is the message\'s own for its turn, one by one', () => {
    const run = { thinkingLevel: 'low', toggles: TurnToggles.create({ verboseLevel: 'full', elevatedLevel: 'ask' }) };
    expect(asked(run, entry)).toMatchObject({ thinkingLevel: 'low', toggles: { verboseLevel: 'full', reasoningLevel: 'stream', elevatedLevel: 'ask', execHost: 'node' } });
    expect(asked(run, {}).toggles).toEqual(TurnToggles.create({ verboseLevel: 'full', elevatedLevel: 'ask' }));
  });
});
