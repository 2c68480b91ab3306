/** Seals the blocks of one payload and hashes its plaintext; this implementation does so on the calling thread. */
import { createHash } from 'node:crypto';
import { Block } from './block.js';
import { sealChunks } from './chunk.js';

/** Every method rejects when the thread behind it is gone. */
export interface Sealer {
  /** An empty block to be filled; waits until one is given back when all are in use. */
  take(): Promise<Block>;
  /** Seals a block in place. Blocks come in the order of the payload, and each once; `first`: its first chunk's number. */
  seal(block: Block, first: number, isLast: boolean): Promise<void>;
  /** Gives back a block that the caller no longer reads. */
  give(block: Block): void;
  /** SHA-256 of all sealed plaintext, hex. */
  digest(): Promise<string>;
  /** Ends the payload: no method may be called and no block read afterwards. */
  end(): void;
}

/** Seals on this thread, chunk by chunk, at once. */
export function createSealer(key: Buffer): Sealer {
  const hash = createHash('sha256');
  return {
    take: async () => Block.ofChunks(1),
    seal: async (block, first, isLast) => sealChunks(key, block.sealed, first, isLast, hash),
    give: () => {},
    digest: async () => hash.digest('hex'),
    end: () => {},
  };
}
