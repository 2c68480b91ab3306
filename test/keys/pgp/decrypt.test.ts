/** Messages for whose rest the library waits for ever: one byte of each was changed after it was encrypted. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { decryptPgp } from '../../../keys/pgp/decrypt.js';

const { now, privateKey, ...messages } = JSON.parse(readFileSync(join(import.meta.dirname, 'stalls.json'), 'utf8')) as {
  now: number;
  privateKey: string;
  integrity: string;
  aead: string;
};
const input = { privateKeys: [privateKey], publicKeys: [], allowsUnprotected: false, now, tickMs: 20 };

async function read(chunks: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const pieces: Buffer[] = [];
  for await (const piece of decryptPgp(chunks, input, () => {})) pieces.push(piece);
  return pieces;
}

for (const [form, message] of Object.entries(messages))
  test(`a message that stalls is damaged (${form})`, async () => {
    const bytes = Buffer.from(message, 'base64');
    const chunks = async function* () {
      // A slow disk is no stall.
      await sleep(400);
      yield bytes.subarray(0, 50);
      await sleep(400);
      yield bytes.subarray(50);
    };
    await assert.rejects(read(chunks()), { code: 'damaged', message: /cut off or changed after it was encrypted/ });
  });
