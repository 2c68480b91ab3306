/** Whole sessions a second (connect, log in, list, quit) and the server's processor time for each, beside the peers. */
import { cipher, runSftp } from './client.js';
import { holdContest } from './contest.js';
import { readSettledTime } from './memory.js';
import type { Peer } from './peers.js';
import type { Section } from './report.js';
import type { Workbench } from './workbench.js';

const parallel = 20;

export function benchSessions(bench: Workbench): Promise<Section> {
  const { sessions } = bench.flags;
  return holdContest(bench, {
    title: 'Sessions',
    about:
      `An \`sftp\` process each (OpenSSH, ${cipher}, ed25519 keys): connect, log in, list the root, quit; ${sessions} of them, ` +
      `one after the other and ${parallel} at once. The times include the client's own work. Processor time: of the server, all threads and processes, ` +
      'for each session.',
    rates: ['one by one /s', 'processor ms', `${parallel} at once /s`, 'processor ms'],
    digits: 1,
    visit: async (peer) => [
      ...(await measureRate(peer, sessions, 1)),
      ...(await measureRate(peer, sessions, parallel)),
    ],
  });
}

/** Sessions a second, and milliseconds of processor time for each. */
async function measureRate(peer: Peer, sessions: number, workers: number): Promise<[number, number]> {
  let left = sessions;
  const work = async (): Promise<void> => {
    while (left-- > 0) await runSftp(peer, `ls "${peer.root}"`);
  };
  const before = await readSettledTime(peer);
  const started = performance.now();
  await Promise.all(Array.from({ length: workers }, work));
  const seconds = (performance.now() - started) / 1000;
  return [sessions / seconds, (((await readSettledTime(peer)) - before) * 1000) / sessions];
}
