/**
 * Whole files of a held store: archives, and transcripts read in one go. Reads wait for lines that are
 * acknowledged and not yet in the file; nothing here changes a name or a byte.
 */
import * as path from 'node:path';
import { readArchiveFile, type ArchiveFile } from './archive/archive-files';
import { listArchives, type ArchivePage, type ArchiveQuery } from './archive/list-archives';
import { hasErrorCode, type FileSystem } from './files/file-system';
import type { StoreLayout } from './files/layout';
import { assertRealDirectory } from './files/real-directories';
import { byteSourceOf, type ByteSource } from './transcript/byte-source';
import { openTranscript } from './transcript/open-transcript';
import type { TranscriptFiles } from './transcript/transcript-files';

const TRANSCRIPTS_FOLDER = 'transcripts';

export interface StoreFilesParts {
  readonly fs: FileSystem;
  readonly layout: StoreLayout;
  readonly transcripts: Pick<TranscriptFiles, 'settled'>;
}

export class StoreFiles {
  readonly #parts: StoreFilesParts;

  constructor(parts: StoreFilesParts) {
    this.#parts = parts;
  }

  /** Lines of the manifest, newest first. */
  archives(query: ArchiveQuery): Promise<ArchivePage> {
    return listArchives(this.#parts.fs, this.#parts.layout, query);
  }

  /** Names of all archives on disk, those of other programs too; costs a look at every name of the directory. */
  async archiveNames(): Promise<(ArchiveFile & { readonly file: string })[]> {
    const names = [...(await this.#names('')), ...(await this.#names(TRANSCRIPTS_FOLDER))];
    return names.flatMap((file) => {
      const archive = readArchiveFile(file);
      return archive === undefined ? [] : [{ file, ...archive }];
    });
  }

  /**
   * Reads one transcript as it is when the call comes in.
   * @returns undefined when there is none. @throws DAMAGED for what is no regular file.
   */
  async readTranscript<T>(file: string, use: (source: ByteSource, bytes: number) => Promise<T>): Promise<T | undefined> {
    const { fs, layout, transcripts } = this.#parts;
    await transcripts.settled(file);
    await assertRealDirectory(path.dirname(path.join(layout.dir, file)));
    const fd = await openTranscript(fs, layout.dir, file);
    if (fd === undefined) return undefined;
    try {
      return await use(byteSourceOf(fs, fd), await fs.size(fd));
    } finally {
      await fs.close(fd);
    }
  }

  async #names(folder: string): Promise<string[]> {
    const { fs, layout } = this.#parts;
    const place = path.join(layout.dir, folder);
    try {
      await assertRealDirectory(place);
      return (await fs.readdir(place)).map((name) => path.posix.join(folder, name));
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT')) return [];
      throw error;
    }
  }
}
