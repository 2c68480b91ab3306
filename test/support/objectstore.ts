/** A place to seal files whose bytes are in a bucket of Swift, behind a proxy that a test makes fail. */

import type { Paths } from '../../config/paths.js';
import { settingsSchema } from '../../config/settings.js';
import { createBlob, openBlob } from '../../storage/blobs.js';
import type { BlobStore } from '../../storage/blobstore.js';
import { openStore } from '../../storage/s3/openstore.js';
import type { SealedBlob } from '../../storage/sealedwriter.js';
import { createStore, type TestStore } from './sealing.js';
import { type StoreProxy, type Swift, startStoreProxy } from './swift.js';
import type { Scope } from './temporary.js';

export interface StorePlace extends Omit<TestStore, 'paths'> {
  paths: Paths & { store: BlobStore };
  store: BlobStore;
  proxy: StoreProxy;
  prefix: string;
  /** The file of each key. */
  keyFiles: { id: string; secret: string };
  /** The whole plaintext. */
  read(id: string): Promise<Buffer>;
}

let prefixes = 0;

export async function openStorePlace(
  t: Scope,
  swift: Swift,
  { retrySeconds = 3, secret, partBytes }: { retrySeconds?: number; secret?: string; partBytes?: number } = {},
): Promise<StorePlace> {
  const proxy = await startStoreProxy(t, swift);
  const prefix = `prefix-${prefixes++}`;
  const named = swift.settings(prefix, { endpoint: proxy.endpoint, ...(secret !== undefined && { secret }) });
  const settings = settingsSchema.parse({ ...named, blobRetrySeconds: retrySeconds });
  const store = openStore({ ...settings, ...(partBytes !== undefined && { blobPartBytes: partBytes }) })!;
  t.after(() => store.close());
  const base = await createStore(t);
  const paths = { ...base.paths, store };
  const seal = async (content: Buffer, pieceBytes = 255 * 1024): Promise<SealedBlob> => {
    const writer = await createBlob(paths, base.recipient);
    try {
      for (let at = 0; at < content.length; at += pieceBytes) await writer.write(content.subarray(at, at + pieceBytes));
      return await writer.finish();
    } catch (error) {
      await writer.discard();
      throw error;
    }
  };
  const read = async (id: string) => {
    const reader = await openBlob(paths, id, base.identity);
    const pieces: Buffer[] = [];
    for await (const bytes of reader.stream()) pieces.push(bytes);
    await reader.close();
    return Buffer.concat(pieces);
  };
  const keyFiles = { id: String(named.blobAccessKey), secret: String(named.blobSecretKey) };
  return { ...base, paths, seal, store, proxy, prefix, keyFiles, read };
}
