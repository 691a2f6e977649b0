/** The store's reader, opened for one answer: a command is short, and what it reads should be of one time. */
import { nativeBindingPath } from './native-binding';
import type { StoreChoice } from './select-stores';
import { SessionError } from '@sessions/domain';
import { openStoreReader } from '@sessions/store';
import type { ReaderOptions, StoreReader } from '@sessions/store';

export const readerOptions = ({ agentId, path }: StoreChoice): ReaderOptions => ({ agentId, sessionsFile: path, nativeBinding: nativeBindingPath() });

/** @throws STORE_UNREADABLE naming the file and the way out */
export async function readStore<Answer>(choice: StoreChoice, use: (reader: StoreReader) => Answer): Promise<Answer> {
  try {
    const reader = await openStoreReader(readerOptions(choice));
    try {
      return use(reader);
    } finally {
      reader.close();
    }
  } catch (error) {
    throw named(choice.path, error);
  }
}

/** A scanner knows the place of the damage but not the file; people need both, and the way out. */
function named(path: string, error: unknown): unknown {
  if (!(error instanceof SessionError) || error.reason !== 'STORE_UNREADABLE') return error;
  const why = error.message.startsWith(path) ? error.message.slice(path.length).trim() : error.message;
  return new SessionError('STORE_UNREADABLE', `The session store ${path} cannot be read: ${why}`, {
    facts: { ...error.facts, path },
    hint: 'Nothing was changed. "openclaw sessions verify" says what is left of it; "openclaw sessions verify --repair" mends it.',
    cause: error,
  });
}
