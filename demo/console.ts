/** The end of the demo: the web console with the demo's data, served with `--keep`. */
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ownerEmail } from './company.js';
import { askDropslot, startDropslot } from './program.js';
import type { Stage } from './show.js';

const usualPort = 8023;
const usualSftpPort = 2222;
const people = [
  { who: 'operator', email: 'operator@dropslot.test', role: ['--role', 'owner'] },
  { who: 'HR admin of acme', email: ownerEmail, role: ['--role', 'admin', '--org', 'acme'] },
];

/** @param keeps serves the console until the program is ended */
export async function openConsole(folder: string, { step, say }: Stage, keeps: boolean): Promise<void> {
  const data = join(folder, 'data');
  const port = keeps ? await findPort(usualPort) : usualPort;
  await writeFile(join(data, 'dropslot.json'), `${JSON.stringify({ console: `127.0.0.1:${port}` })}\n`);
  step(`The web console: http://127.0.0.1:${port}${keeps ? ', served now' : ', served by "npm run demo -- --keep"'}`);
  if (!keeps) return;
  for (const { who, email, role } of people) {
    const { link } = await askDropslot<{ link: string }>(data, ['console', 'invite', email, ...role]);
    say(`Invitation for the ${who}, ${email}:`, link);
  }
  // The page Connection shows the port of the settings.
  const server = await startDropslot(data, ['--port', String(await findPort(usualSftpPort))]);
  await answers(`http://127.0.0.1:${port}/`);
  say('Open each link in a browser window of its own. Ctrl-C ends the server.');
  await server.ended;
}

/** The port for SFTP is open before the console's. @throws Error when nothing answers within 30 seconds */
async function answers(url: string): Promise<void> {
  for (const deadline = performance.now() + 30_000; ; await sleep(50))
    try {
      await (await fetch(url)).body?.cancel();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
}

/** The usual port; where it is taken, a free one. */
async function findPort(usual: number): Promise<number> {
  for (const port of [usual, 0]) {
    const server = createServer();
    const free = await new Promise<number | null>((resolve) => {
      server.once('error', () => resolve(null));
      server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
    });
    server.close();
    if (free !== null) return free;
  }
  throw new Error('no port of 127.0.0.1 is free');
}
