/** A blob store in a temporary folder, with an organization's key pair. */
import { randomBytes } from 'node:crypto';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { type Paths, pathsOf } from '../../config/paths.js';
import { createBlob } from '../../storage/blobs.js';
import type { SealedBlob } from '../../storage/sealedwriter.js';
import { type Scope, temporaryFolder } from './temporary.js';

export interface TestStore {
  paths: Paths;
  identity: string;
  recipient: string;
  /** Seals a whole content, in pieces of so many bytes. */
  seal(content: Buffer, pieceBytes?: number): Promise<SealedBlob>;
}

export async function createStore(scope: Scope): Promise<TestStore> {
  const paths = pathsOf({ data: temporaryFolder(scope), masterKey: undefined });
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  const seal = async (content: Buffer, pieceBytes = 255 * 1024) => {
    const writer = await createBlob(paths, recipient);
    for (let at = 0; at < content.length; at += pieceBytes) await writer.write(content.subarray(at, at + pieceBytes));
    return writer.finish();
  };
  return { paths, identity, recipient, seal };
}

/** Bytes that differ at every place, also from run to run. */
export function randomContent(bytes: number): Buffer {
  return randomBytes(bytes);
}
