/**
 * Organizations that arrive together: connect, log in, put one file of 20 KB, leave. Visits a second and the server's processor time for each,
 * beside the peers. Dropslot gets an organization for each visit of a run; the peers, which have none, one user. All clients run in the bench's process
 * (ssh2), so that each server has the same work beside it.
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { openWorkplace } from '../app/compose.js';
import { settingsSchema } from '../config/settings.js';
import { addKeys } from '../operations/loginkeys.js';
import { addOrganization } from '../operations/orgs.js';
import { holdContest } from './contest.js';
import { readSettledTime } from './memory.js';
import type { Dropslot } from './peers.js';
import type { Section } from './report.js';
import { visit } from './visit.js';
import type { Workbench } from './workbench.js';

const uploadBytes = 20_000;
/** Clients at once: fewer than the connections without a login that one address may have by default. */
const parallel = 16;

export async function benchArrivals(bench: Workbench): Promise<Section> {
  const { visits } = bench.flags;
  const content = randomBytes(uploadBytes);
  let users: string[] | null = null;
  return holdContest(bench, {
    title: 'Organizations that arrive together',
    about:
      `${visits} visits in a run, ${parallel} at once, each over a connection of its own (ssh2, in one process for all): connect, log in, put a file of ${uploadBytes / 1000} KB under a new name, ` +
      'leave. To Dropslot each comes from another organization. The rate includes the work of the clients. Processor time: of the server, all threads and processes.',
    rates: ['visits /s', 'processor ms'],
    digits: 1,
    visit: async (peer, run) => {
      if ('data' in peer) users ??= await addOrganizations(peer as Dropslot, visits);
      const chosen = 'data' in peer ? users! : [peer.user];
      const privateKey = await readFile(peer.privateKey);
      const before = await readSettledTime(peer);
      const began = performance.now();
      let next = 0;
      const client = async (): Promise<void> => {
        while (next < visits) {
          const number = next++;
          const username = chosen[number % chosen.length]!;
          await visit({ port: peer.port, username, privateKey }, `${peer.root}arrival-${run}-${number}.csv`, content);
        }
      };
      await Promise.all(Array.from({ length: parallel }, client));
      const seconds = (performance.now() - began) / 1000;
      return [visits / seconds, (((await readSettledTime(peer)) - before) * 1000) / visits];
    },
  });
}

/** Their ids; all take the key of the bench. */
async function addOrganizations({ data, privateKey }: Dropslot, count: number): Promise<string[]> {
  const workplace = await openWorkplace(settingsSchema.parse({ data }));
  const key = await readFile(`${privateKey}.pub`, 'utf8');
  const ids = Array.from({ length: count }, (_, number) => `arrival-${number}`);
  try {
    for (const id of ids) {
      await addOrganization(workplace, id, { ownerEmail: `owner@${id}.test` }, true);
      await addKeys(workplace, id, key, {});
    }
  } finally {
    await workplace.close();
  }
  return ids;
}
