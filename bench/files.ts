/** Many small files through one session, in files a second, beside the peers. */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cipher, hashFile, runSftp } from './client.js';
import { holdContest } from './contest.js';
import type { Peer } from './peers.js';
import type { Section } from './report.js';
import type { Workbench } from './workbench.js';

const bytesEach = 2_048;

export async function benchFiles(bench: Workbench): Promise<Section> {
  const { folder, flags } = bench;
  const source = join(folder, 'small');
  await mkdir(source);
  for (let index = 0; index < flags.files; index++) {
    await writeFile(join(source, `part-${String(index).padStart(4, '0')}.csv`), randomBytes(bytesEach));
  }
  return holdContest(bench, {
    title: 'Small files',
    about:
      `\`put\` of ${flags.files} files of ${bytesEach} bytes in one session (OpenSSH, ${cipher}): the whole command. Each is read back ` +
      'and its SHA-256 checked. Dropslot syncs each file and commits its queue row before it answers CLOSE; the peers leave ' +
      'the disk to the operating system.',
    rates: ['files /s'],
    digits: 0,
    visit: async (peer, run) => {
      const remote = `${peer.root}small-${run}`;
      await runSftp(peer, `mkdir "${remote}"`);
      const rate = flags.files / (await runSftp(peer, `cd "${remote}"`, `put "${source}/"*`));
      await checkCopies(peer, remote, source, join(folder, 'small-copy'));
      return [rate];
    },
  });
}

async function checkCopies(peer: Peer, remote: string, source: string, copy: string): Promise<void> {
  await mkdir(copy);
  await runSftp(peer, `get "${remote}/"* "${copy}"`);
  for (const name of await readdir(source)) {
    if ((await hashFile(join(copy, name))) !== (await hashFile(join(source, name)))) {
      throw new Error(`${peer.name} gave back other bytes of ${name} than it took`);
    }
  }
  await rm(copy, { recursive: true });
}
