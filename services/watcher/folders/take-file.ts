import { createReadStream } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { type ErrorBody, errorBody, RefusedError } from '../../../contracts/errors.ts';
import type { ImportReport } from '../../../contracts/tables.ts';
import type { CommandClient } from '../../../lib/batch/command-client.ts';
import { createCommand, fillTemplate } from '../../../lib/batch/template.ts';
import type { Store } from '../../../lib/store/collections.ts';
import { deleteTable } from '../../../lib/tables/delete-table.ts';
import { placeRows } from '../../../lib/tables/place-rows.ts';
import { fileSource } from '../../../lib/tables/sources/file-source.ts';
import { type Octets, textOctets } from '../../../lib/tables/sources/text-octets.ts';
import { isSame, type SeenFile } from '../pure/settled-files.ts';
import type { HotFolder } from './folder-config.ts';
import { seenFile } from './look.ts';

export type Taken =
  | { kind: 'batch'; batchId: string; report: ImportReport }
  /** The same content is a batch already, whatever its name was then. */
  | { kind: 'duplicate'; batchId: string }
  | { kind: 'refused'; error: ErrorBody }
  /** Its writer was not done: it is looked at again when it has settled. */
  | { kind: 'changed' }
  /** Renamed or removed while it was read. */
  | { kind: 'gone' }
  /** Not there any more when we came, or taken by another watcher meanwhile: nothing to say. */
  | { kind: 'elsewhere' };

export interface TakeDeps {
  store: Store;
  commands: CommandClient;
  signal: AbortSignal;
}

const REPLY_MS = 12_000;
const READ_OCTETS = 128 * 1024;
/** Of the content's SHA-256, in hex: batches of one folder are told apart by it. */
const HASH_DIGITS = 24;

/**
 * Imports a file into a table of its own and makes a batch of it. Everything is named by the content, so that a crash
 * anywhere, another watcher at the same file, and the same file again are all one batch.
 * @throws where a server does not answer: the file stays, and is taken later
 */
export async function takeFile(deps: TakeDeps, folder: HotFolder, file: SeenFile): Promise<Taken> {
  let id: string | undefined;
  try {
    id = `${folder.name}-${(await hashOf(deps, folder, file)).slice(0, HASH_DIGITS)}`;
    return await take(deps, folder, file, id);
  } catch (error) {
    if (error instanceof RefusedError) return { kind: 'refused', error: error.body };
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === undefined || syscall === undefined || !READING.has(syscall)) throw error;
    if (code !== 'ENOENT') {
      return { kind: 'refused', error: errorBody('invalid', `${file.name} cannot be read: ${code}.`) };
    }
    if (id === undefined || (await isBatch(deps.store, id))) return { kind: 'elsewhere' };
    return { kind: 'gone' };
  }
}

/** System calls on the file itself. */
const READING = new Set(['open', 'read', 'lstat']);

const octetsOf = (folder: HotFolder, { name, size }: SeenFile): Octets => ({
  label: `file ${name}`,
  size,
  open: (signal) => createReadStream(join(folder.path, name), { highWaterMark: READ_OCTETS, signal }),
});

/** SHA-256 of its text: the same whether it is packed or not. */
async function hashOf({ signal }: TakeDeps, folder: HotFolder, file: SeenFile): Promise<string> {
  if (!(await lstat(join(folder.path, file.name))).isFile()) {
    throw new RefusedError(errorBody('invalid', `${file.name} is no regular file.`));
  }
  const text = textOctets(octetsOf(folder, file));
  for await (const _chunk of text.chunks(signal)) signal.throwIfAborted();
  return text.sha256();
}

const isBatch = async ({ batches }: Store, id: string): Promise<boolean> =>
  (await batches.findOne({ _id: id }, { projection: { _id: 1 } })) !== null;

async function take(
  { store, commands, signal }: TakeDeps,
  folder: HotFolder,
  file: SeenFile,
  id: string,
): Promise<Taken> {
  if (await isBatch(store, id)) return { kind: 'duplicate', batchId: id };
  const { defaultCountry } = folder;
  const source = fileSource(octetsOf(folder, file), folder);
  const report = await placeRows(store, { table: id, source, defaultCountry, signal });
  const now = await seenFile(join(folder.path, file.name), file.name);
  if (!now || !isSame(now, file) || !id.endsWith(source.sha256().slice(0, HASH_DIGITS))) {
    await forget(store, id);
    if (now) return { kind: 'changed' };
    return (await isBatch(store, id)) ? { kind: 'elsewhere' } : { kind: 'gone' };
  }
  const use = {
    batchId: id,
    // The file's own time, so that another try makes the same batch.
    origin: {
      kind: 'folder' as const,
      id: folder.name,
      at: new Date(Math.floor(file.mtimeMs)).toISOString(),
      file: file.name.slice(-256),
    },
    table: id,
  };
  const filled = fillTemplate(folder.template, use);
  if (!filled.ok) {
    await forget(store, id);
    throw new RefusedError(errorBody('invalid', 'The template does not fit this file.', filled.errors));
  }
  const create = createCommand(filled.value, use, { reason: `file ${file.name}`.slice(0, 1_000) });
  const heard = await commands.publishAndHear(create, REPLY_MS);
  if (heard.kind === 'full') throw new Error(`the command stream is full: ${heard.reason}`);
  if (heard.kind === 'replied' && !heard.reply.ok) {
    await forget(store, id);
    return { kind: 'refused', error: heard.reply.error };
  }
  return { kind: 'batch', batchId: id, report };
}

/** The table of a file that becomes no batch. Another watcher may be at the same file: what a batch needs stays. */
async function forget(store: Store, id: string): Promise<void> {
  if (await isBatch(store, id)) return;
  await deleteTable(store, id).catch((error) => {
    if (!(error instanceof RefusedError)) throw error;
  });
}
