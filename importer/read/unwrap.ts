/** Reads files that were packed or encrypted before they were sent: gzip, a zip archive of one file, PGP (rule F2). */
import type { Settings } from '../../config/settings.js';
import { RefusalError, refuse } from '../codes.js';
import { ByteReader } from './bytereader.js';
import { gunzip, InflateError } from './inflate.js';
import { isPgpFile, type PgpContext, type PgpState, readPgp, requirePgp } from './pgp.js';
import type { Source } from './source.js';
import { readZip } from './zip.js';

export type UnwrapLimits = Pick<Settings, 'maxUnpackedBytes' | 'maxUnpackRatio'>;

interface Layer {
  /** In a message: `The gzip file …`. */
  name: string;
  /** One layer of each kind may be around a file. */
  kind: 'packed' | 'encrypted';
  starts(begin: Buffer, name: string): boolean;
  read(reader: ByteReader, context: PgpContext, state: PgpState): AsyncIterable<Buffer>;
}

const layers: readonly Layer[] = [
  { name: 'gzip file', kind: 'packed', starts: (begin) => hasMagic(begin, '1f8b08'), read: readGzip },
  {
    name: 'zip archive',
    kind: 'packed',
    starts: isZip,
    read: readZip,
  },
  { name: 'PGP file', kind: 'encrypted', starts: isPgpFile, read: readPgp },
];

/** With the version of the format behind the mark, as every zip program writes it: else it is not CSV, and no zip either. */
function isZip(begin: Buffer): boolean {
  if (hasMagic(begin, '504b0506') || hasMagic(begin, '504b0708')) return true;
  return hasMagic(begin, '504b0304') && (begin[4] ?? 0) <= newestVersion && (begin[5] ?? 0) <= mostSystems;
}

/** 6.3 is 63. */
const newestVersion = 100;
const mostSystems = 30;

/** Below this size nothing is refused for its ratio: a file of one repeated row is small in any case. */
const freeBytes = 16 * 1024 * 1024;
const beginBytes = 16 * 1024;

/**
 * The source without the layers around it; a file without any is passed on as it is. The bytes of a PGP message are passed on only
 * after all of it was read once, and proved to be whole: until then they may be anything.
 */
export function unwrap(source: Source, limits: UnwrapLimits, context: PgpContext): Source {
  let plainBytes = source.bytes;
  let [isProved, refused]: [boolean, RefusalError | null] = [false, null];
  const read = async function* ({ reader, close }: Opened): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of reader.rest()) {
        plainBytes = Math.max(plainBytes, reader.consumed);
        yield chunk;
      }
    } finally {
      await close();
    }
  };
  const open = async (): Promise<Opened> => {
    if (refused !== null) throw refused;
    try {
      const opened = await openLayers(source, limits, context);
      if (isProved || !opened.isMessage) return opened;
      for await (const _ of read(opened));
      isProved = true;
    } catch (error) {
      if (error instanceof RefusalError && error.refusal.code !== 'damaged') refused = error;
      throw error;
    }
    return openLayers(source, limits, context);
  };
  return {
    ...source,
    plainBytes: () => plainBytes,
    open: async function* () {
      yield* read(await open());
    },
  };
}

interface Opened {
  reader: ByteReader;
  /** Whether there is a PGP message in it. */
  isMessage: boolean;
  close(): Promise<void>;
}

async function openLayers(source: Source, limits: UnwrapLimits, context: PgpContext): Promise<Opened> {
  const readers = [new ByteReader(source.open())];
  const close = async () => {
    for (const reader of readers.reverse()) await reader.close();
  };
  const met: Layer[] = [];
  const state: PgpState = { isEncrypted: false };
  try {
    for (;;) {
      const reader = readers.at(-1)!;
      const begin = await reader.peek(beginBytes);
      const layer = layers.find(({ starts }) => starts(begin, source.name));
      const isMessage = met.some(({ kind }) => kind === 'encrypted');
      if (layer === undefined) {
        requirePgp(context, state, isMessage);
        return { reader, isMessage, close };
      }
      refuseSecond(met, layer);
      met.push(layer);
      readers.push(new ByteReader(bound(layer, reader, limits, context, state)));
    }
  } catch (error) {
    await close();
    throw error;
  }
}

function refuseSecond(met: readonly Layer[], layer: Layer): void {
  const outer = met.find(({ kind }) => kind === layer.kind);
  if (outer !== undefined) throw new RefusalError(refuse('wrapped_twice', { outer: outer.name, inner: layer.name }));
}

/** Ends a layer that grows past the limits before more of it is read. */
async function* bound(
  { name, read }: Layer,
  reader: ByteReader,
  limits: UnwrapLimits,
  context: PgpContext,
  state: PgpState,
): AsyncGenerator<Buffer> {
  const { maxUnpackedBytes, maxUnpackRatio } = limits;
  let bytes = 0;
  const begin = reader.consumed;
  for await (const chunk of read(reader, context, state)) {
    bytes += chunk.length;
    if (bytes > maxUnpackedBytes)
      throw new RefusalError(refuse('unpacks_too_large', { what: name, limit: maxUnpackedBytes }));
    if (bytes > freeBytes && bytes > maxUnpackRatio * (reader.consumed - begin))
      throw new RefusalError(refuse('unpacks_too_much', { what: name, limit: maxUnpackRatio }));
    yield chunk;
  }
}

async function* readGzip(reader: ByteReader): AsyncGenerator<Buffer> {
  try {
    yield* gunzip(reader);
  } catch (error) {
    if (!(error instanceof InflateError)) throw error;
    throw new RefusalError(refuse('packed_damaged', { what: 'gzip file', reason: error.message }));
  }
  if ((await reader.peek(1)).length > 0)
    throw new RefusalError(refuse('packed_damaged', { what: 'gzip file', reason: 'there are bytes after its end' }));
}

function hasMagic(begin: Buffer, magic: string): boolean {
  return begin.subarray(0, magic.length / 2).toString('hex') === magic;
}
