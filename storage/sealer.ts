/** Who seals the blocks of one payload and hashes its plaintext: this thread, or one of a crew's. */
import { createHash } from 'node:crypto';
import { Block } from './block.js';
import { sealChunks } from './chunk.js';

/** Every method rejects when the thread behind it is gone. */
export interface Sealer {
  /** An empty block to be filled; waits for one to be given back when there is none. */
  take(): Promise<Block>;
  /** Seals a block where it lies. Blocks come in the order of the payload, and each once; `first`: its first chunk's number. */
  seal(block: Block, first: number, isLast: boolean): Promise<void>;
  /** A block that nobody reads any more. */
  give(block: Block): void;
  /** SHA-256 of all plaintext that was sealed, hex. */
  digest(): Promise<string>;
  /** Nothing is sealed any more, and no block is read. */
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
