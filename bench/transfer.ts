/** One large file up and down, in MB/s, beside the peers. */
import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { cipher, hashFile, runSftp } from './client.js';
import { holdContest } from './contest.js';
import type { Section } from './report.js';
import type { Workbench } from './workbench.js';

export async function benchTransfer(bench: Workbench): Promise<Section> {
  const { folder, flags } = bench;
  const megabytes = (flags.size * 1024 ** 2) / 1e6;
  const source = join(folder, 'source.bin');
  const copy = join(folder, 'copy.bin');
  const sha256 = await writeRandom(source, flags.size);
  return holdContest(bench, {
    title: 'One large file',
    about:
      `\`sftp\` of OpenSSH, ${cipher}, a file of ${flags.size} MiB of random bytes: the whole command, login included. ` +
      'SHA-256 checked after each download.',
    rates: ['up MB/s', 'down MB/s'],
    digits: 0,
    visit: async (peer) => {
      const remote = `${peer.root}transfer.bin`;
      const up = megabytes / (await runSftp(peer, `put "${source}" "${remote}"`));
      const down = megabytes / (await runSftp(peer, `get "${remote}" "${copy}"`));
      if ((await hashFile(copy)) !== sha256) throw new Error(`${peer.name} gave back other bytes than it took`);
      await rm(copy);
      await runSftp(peer, `rm "${remote}"`);
      return [up, down];
    },
  });
}

/** Random bytes, so that nothing on the way can compress them. Their SHA-256, hex. */
async function writeRandom(path: string, mebibytes: number): Promise<string> {
  const hash = createHash('sha256');
  const blocks = function* (): Generator<Buffer> {
    for (let block = 0; block < mebibytes; block++) {
      const bytes = randomBytes(1024 ** 2);
      hash.update(bytes);
      yield bytes;
    }
  };
  await pipeline(Readable.from(blocks()), createWriteStream(path));
  return hash.digest('hex');
}
