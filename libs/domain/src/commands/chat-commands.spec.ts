import fc from 'fast-check';
import { anyCharacters } from '../testing/text-arbitraries';
import { commandVerdict, inlineCommands, parseChatCommand, type ChatIntent } from './chat-commands';
import { chooseNewModel } from './new-model';

const TRIGGERS = ['/new', '/reset'];
const parse = (text: string): ChatIntent | undefined => parseChatCommand(text, TRIGGERS);
const usage = (command: string): object => expect.objectContaining({ kind: 'usage', command }) as object;

describe('parseChatCommand', () => {
  it.each<[string, object | undefined]>([
    ['/new', { kind: 'reset', reason: 'new', text: undefined }],
    ['  /NEW  ', { kind: 'reset', reason: 'new', text: undefined }],
    ['/new: hello', { kind: 'reset', reason: 'new', text: 'hello' }],
    ['/reset\nPlan it\nwell', { kind: 'reset', reason: 'reset', text: 'Plan it\nwell' }],
    ['/Reset now', { kind: 'reset', reason: 'reset', text: 'now' }],
    ['/newer', undefined],
    ['please /new', undefined],
    ['/clear', { kind: 'clear' }],
    ['/clear all', usage('clear')],
    ['/model', { kind: 'model', action: 'show' }],
    ['/model default', { kind: 'model', action: 'default' }],
    ['/model OpenAI/GPT-5', { kind: 'model', action: 'set', name: 'OpenAI/GPT-5' }],
    ['/model a b', usage('model')],
    ['/activation ALWAYS', { kind: 'activation', mode: 'always' }],
    ['/activation', usage('activation')],
    ['/send: off', { kind: 'send', policy: 'deny' }],
    ['/send on', { kind: 'send', policy: 'allow' }],
    ['/send inherit', { kind: 'send', policy: 'inherit' }],
    ['/send on please', usage('send')],
    ['/status', { kind: 'status' }],
    ['/context', { kind: 'context', view: 'list' }],
    ['/context list', { kind: 'context', view: 'list' }],
    ['/context json', { kind: 'context', view: 'json' }],
    ['/context xml', usage('context')],
    ['/compact', { kind: 'compact', instructions: undefined }],
    ['/compact: keep the names', { kind: 'compact', instructions: 'keep the names' }],
    ['/stop', { kind: 'stop' }],
    ['/stop it', usage('stop')],
    ['/export-trajectory bug-123', { kind: 'export-trajectory', name: 'bug-123' }],
    ['/trajectory', { kind: 'export-trajectory', name: undefined }],
    ['/subagents list', { kind: 'subagents', args: 'list' }],
    ['/subagents dance', usage('subagents')],
    ['/kill all', { kind: 'kill', target: 'all' }],
    ['/kill', usage('kill')],
    ['/think high', { kind: 'toggle', name: 'think', value: 'high' }],
    ['/verbose', { kind: 'toggle', name: 'verbose', value: undefined }],
    ['/session idle 2h', { kind: 'thread', limit: 'idle', value: '2h' }],
    ['/unknown', undefined],
    ['/etc/passwd', undefined],
    ['/statusbar', undefined],
    ['hello', undefined],
    ['', undefined],
  ])('%j', (text, intent) => expect(parse(text)).toEqual(intent));

  it('replaces the triggers by the configured ones', () => {
    expect(parseChatCommand('/new', ['/fresh'])).toBeUndefined();
    expect(parseChatCommand('/reset', ['/fresh'])).toBeUndefined();
    expect(parseChatCommand('/Fresh start', ['/fresh'])).toEqual({ kind: 'reset', reason: 'new', text: 'start' });
    expect(parseChatCommand('start over', ['Start Over'])).toEqual({ kind: 'reset', reason: 'new', text: undefined });
  });

  it('never throws, and gives back what follows a trigger without loss', () => {
    fc.assert(fc.property(fc.string({ unit: anyCharacters, maxLength: 200 }), (text) => {
      parse(text);
      inlineCommands(text);
      expect(parse(`/reset ${text}`)).toEqual({ kind: 'reset', reason: 'reset', text: text.trim() === '' ? undefined : text.trim() });
    }));
  });
});

describe('inlineCommands', () => {
  it.each([
    ['how is it /status going', [{ kind: 'status' }], 'how is it going'],
    ['/think high solve this', [{ kind: 'toggle', name: 'think', value: 'high' }], 'solve this'],
    ['use /think:low here', [{ kind: 'toggle', name: 'think', value: 'low' }], 'use here'],
    ['what does /think, do?', [], 'what does /think, do?'],
    ['run /exec host=gateway security=full these', [{ kind: 'toggle', name: 'exec', value: 'host=gateway security=full' }], 'run these'],
    ['run /exec these', [], 'run /exec these'],
    ['/queue collect cap:3 drop:old and /verbose on /reasoning: stream go', [{ kind: 'toggle', name: 'queue', value: 'collect cap:3 drop:old' }, { kind: 'toggle', name: 'verbose', value: 'on' }, { kind: 'toggle', name: 'reasoning', value: 'stream' }], 'and go'],
    ['hi /queue debounce:0 there', [{ kind: 'toggle', name: 'queue', value: 'debounce:0' }], 'hi there'],
    ['hi /queue: cap=3 drop:old there', [{ kind: 'toggle', name: 'queue', value: 'cap=3 drop:old' }], 'hi there'],
    ['it is /elevated ask: why', [], 'it is /elevated ask: why'],
    ['see http://x/status please', [], 'see http://x/status please'],
    ['no command  at all', [], 'no command  at all'],
  ])('%j', (text, intents, rest) => expect(inlineCommands(text)).toEqual({ intents, text: rest }));
});

describe('commandVerdict', () => {
  const somebody = { isAuthorised: false, isOwner: false, isCommandLine: false };
  const authorised = { ...somebody, isAuthorised: true };
  const owner = { ...authorised, isOwner: true };
  const intents = (...texts: string[]): ChatIntent[] => texts.map((text) => parse(text) as ChatIntent);

  it('lets authorised senders run commands, owners alone those that change who hears what', () => {
    for (const intent of intents('/new', '/clear', '/compact', '/model x', '/stop')) {
      expect([somebody, authorised, owner].map((sender) => commandVerdict(intent, sender))).toEqual(['ignore', 'run', 'run']);
    }
    for (const intent of intents('/send off', '/send nonsense', '/activation always', '/export-trajectory')) {
      expect([somebody, authorised, owner].map((sender) => commandVerdict(intent, sender))).toEqual(['ignore', 'ignore', 'run']);
    }
  });

  it('takes inline commands of others as text and refuses the command line', () => {
    expect(commandVerdict({ kind: 'status' }, somebody, 'inline')).toBe('text');
    const writer = { ...somebody, asksForTurns: true };
    const verdicts = (texts: readonly string[], place: 'whole' | 'inline') => intents(...texts).map((intent) => commandVerdict(intent, writer, place));
    expect(verdicts(['/status', '/think high', '/queue collect'], 'inline')).toEqual(['run', 'run', 'run']);
    expect(verdicts(['/verbose on', '/reasoning on', '/elevated full', '/exec host=gateway'], 'inline')).toEqual(['text', 'text', 'text', 'text']);
    expect(verdicts(['/status', '/think high', '/new'], 'whole')).toEqual(['ignore', 'ignore', 'ignore']);
    for (const intent of intents('/compact', '/new', '/status')) expect(commandVerdict(intent, { ...owner, isCommandLine: true })).toBe('refuse');
  });
});

describe('chooseNewModel', () => {
  const models = [
    { provider: 'anthropic', model: 'claude-opus', aliases: ['opus'] },
    { provider: 'openai', model: 'gpt-5' },
    { provider: 'openai', model: 'gpt-5-mini', aliases: ['mini'] },
  ];

  it.each([
    ['opus', 'anthropic/claude-opus', undefined],
    ['Mini write a poem', 'openai/gpt-5-mini', 'write a poem'],
    ['openai/gpt-5-mini', 'openai/gpt-5-mini', undefined],
    ['gpt-5 hi', 'openai/gpt-5', 'hi'],
    ['OpenAI', 'openai/gpt-5', undefined],
    ['antropic hi', 'anthropic/claude-opus', 'hi'],
    ['open the file', undefined, 'open the file'],
    ['plan the release', undefined, 'plan the release'],
    ['nope/model hello', undefined, 'nope/model hello'],
    ['', undefined, undefined],
    [undefined, undefined, undefined],
  ])('%j', (text, model, prompt) => expect(chooseNewModel(text, models)).toEqual({ model, prompt }));
});
