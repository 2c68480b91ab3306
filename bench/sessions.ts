/** Whole sessions a second (connect, log in, list, quit), beside the peers. */
import { cipher, runSftp } from './client.js';
import { holdContest } from './contest.js';
import type { Peer } from './peers.js';
import type { Section } from './report.js';
import type { Workbench } from './workbench.js';

const parallel = 8;

export function benchSessions(bench: Workbench): Promise<Section> {
  const { sessions } = bench.flags;
  return holdContest(bench, {
    title: 'Sessions',
    about:
      `An \`sftp\` process each (OpenSSH, ${cipher}, ed25519 keys): connect, log in, list the root, quit; ${sessions} of them, ` +
      `one after the other and ${parallel} at once. The times include the client's own work.`,
    rates: ['one by one /s', `${parallel} at once /s`],
    digits: 1,
    visit: async (peer) => [await measureRate(peer, sessions, 1), await measureRate(peer, sessions, parallel)],
  });
}

async function measureRate(peer: Peer, sessions: number, workers: number): Promise<number> {
  let left = sessions;
  const work = async (): Promise<void> => {
    while (left-- > 0) await runSftp(peer, `ls "${peer.root}"`);
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: workers }, work));
  return sessions / ((performance.now() - started) / 1000);
}
