/** Many small files through one session, in files a second and in the server's processor time, beside the peers. */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cipher, hashFile, runSftp } from './client.js';
import { holdContest } from './contest.js';
import { readSettledTime } from './memory.js';
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
      'and its SHA-256 checked. Dropslot makes each file and its place in the queue durable before it answers CLOSE; to OpenSSH they are sent by `put -f`, which has each synced; ' +
      'rclone knows no sync and leaves the disk to the system. Processor time: of the server, all threads and processes, for each file.',
    rates: ['files /s', 'processor ms'],
    digits: [0, 2],
    visit: async (peer, run) => {
      const remote = `${peer.root}small-${run}`;
      await runSftp(peer, `mkdir "${remote}"`);
      const before = await readSettledTime(peer);
      const put = peer.syncsOnRequest === true ? 'put -f' : 'put';
      const rate = flags.files / (await runSftp(peer, `cd "${remote}"`, `${put} "${source}/"*`));
      const processorMs = (((await readSettledTime(peer)) - before) * 1000) / flags.files;
      await checkCopies(peer, remote, source, join(folder, 'small-copy'));
      return [rate, processorMs];
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
