/**
 * One large file up and down, in MB/s and in the server's processor time, beside the peers, with each of the usual ciphers. Every upload
 * makes a new file: to overwrite an old one would spare the system new pages.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { hashFile, runSftpWith } from './client.js';
import { holdContest } from './contest.js';
import { readSettledTime } from './memory.js';
import type { Section } from './report.js';
import type { Workbench } from './workbench.js';

export async function benchTransfer(bench: Workbench): Promise<Section[]> {
  const source = join(bench.folder, 'source.bin');
  const sha256 = await writeRandom(source, bench.flags.size);
  const sections: Section[] = [];
  for (const cipher of bench.flags.ciphers) sections.push(await benchCipher(bench, cipher, source, sha256));
  return sections;
}

function benchCipher(bench: Workbench, cipher: string, source: string, sha256: string): Promise<Section> {
  const { folder, flags } = bench;
  const megabytes = (flags.size * 1024 ** 2) / 1e6;
  const gibibytes = flags.size / 1024;
  const copy = join(folder, 'copy.bin');
  return holdContest(bench, {
    title: `One large file, ${cipher}`,
    about:
      `\`sftp\` of OpenSSH, a file of ${flags.size} MiB of random bytes under a new name each time: the whole command, login included. ` +
      'SHA-256 checked after each download. Processor time: of all threads and processes of the server, user and system.',
    rates: ['up MB/s', 'up processor s/GiB', 'down MB/s', 'down processor s/GiB'],
    digits: [0, 2, 0, 2],
    visit: async (peer, run) => {
      const remote = `${peer.root}transfer-${run}.bin`;
      const measure = async (command: string): Promise<[number, number]> => {
        const before = await readSettledTime(peer);
        const seconds = await runSftpWith(cipher, peer, command);
        return [megabytes / seconds, ((await readSettledTime(peer)) - before) / gibibytes];
      };
      const up = await measure(`put "${source}" "${remote}"`);
      const down = await measure(`get "${remote}" "${copy}"`);
      if ((await hashFile(copy)) !== sha256) throw new Error(`${peer.name} gave back other bytes than it took`);
      await rm(copy);
      await runSftpWith(cipher, peer, `rm "${remote}"`);
      return [...up, ...down];
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
