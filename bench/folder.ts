/** Thousands of files in a watched folder: how long until all are taken, and which watches, descriptors and memory the server needs. */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { askDropslot } from '../demo/program.js';
import { listDescendants, watchMemory } from './memory.js';
import { benchOrg } from './peers.js';
import { describePeaks, type Section } from './report.js';
import type { Workbench } from './workbench.js';

const counts = [1_000, 10_000];
const everyMs = 2_000;
const longestMs = 30 * 60_000;

interface Folder {
  folder: number;
  result: { taken: number; waiting: number; problems: string[] } | null;
}

export async function benchFolder(bench: Workbench): Promise<Section> {
  const section: Section = {
    title: 'A watched folder with many files',
    about:
      'Files of 60 bytes in a folder that `dropslot serve` watches with notifications. Seconds from `folders add` until all are sealed and queued, with ' +
      'the 10 seconds in which a file must not change (`sourceSettleSeconds`). Then a round that finds nothing new, by `folders run`: the whole command. ' +
      'Watches (inotify) and open descriptors of the server after it has taken them.',
    header: [
      'files',
      'taken in s',
      'files /s',
      'a round without new files s',
      'watches',
      'descriptors',
      'peak resident memory',
    ],
    rows: [],
    notes: [],
  };
  for (const count of counts) section.rows.push(await measure(bench, count));
  return section;
}

async function measure({ folder, say, startOurs }: Workbench, count: number): Promise<string[]> {
  const ours = await startOurs();
  const memory = watchMemory(process.pid);
  const dir = join(folder, `watched-${count}`);
  await mkdir(dir);
  for (let file = 0; file < count; file++)
    await writeFile(join(dir, `users-${file}.csv`), `User Email,User Name\nuser${file}@bench.test,Someone Or Other\n`);
  const began = performance.now();
  const { folder: id } = await askDropslot<Folder>(ours.data, ['folders', 'add', benchOrg, dir]);
  const seconds = () => (performance.now() - began) / 1000;
  for (;;) {
    const { result } = await askDropslot<Folder>(ours.data, ['folders', 'show', String(id)]);
    if (result !== null && result.taken === count) break;
    if (result !== null && result.problems.length > 0) throw new Error(result.problems.join('; '));
    if (seconds() * 1000 > longestMs) throw new Error(`${count} files were not taken in time`);
    await sleep(everyMs);
  }
  const taken = seconds();
  const { watches, descriptors } = readDescriptors([ours.pid, ...listDescendants(ours.pid)]);
  const again = performance.now();
  await askDropslot(ours.data, ['folders', 'run', String(id)]);
  const idle = (performance.now() - again) / 1000;
  // Without the commands that asked for the result.
  const peaks = describePeaks(
    new Map([...memory.peaks()].filter(([role]) => /^dropslot serve$|^importer$/.test(role))),
  );
  memory.stop();
  await ours.stop();
  say(`folder ${count}: ${taken.toFixed(1)} s, ${watches} watches, ${peaks}`);
  const queue = await askDropslot<{ closedAt: string }[]>(ours.data, ['queue', benchOrg]);
  const times = queue.map(({ closedAt }) => Date.parse(closedAt)).sort((one, other) => one - other);
  const rate = ((count * 1000) / (times.at(-1)! - times[0]!)).toFixed(0);
  return [String(count), taken.toFixed(1), rate, idle.toFixed(1), String(watches), String(descriptors), peaks];
}

/** Of processes on Linux. */
function readDescriptors(pids: readonly number[]): { watches: number; descriptors: number } {
  let [watches, descriptors] = [0, 0];
  for (const pid of pids)
    for (const name of readdirSync(`/proc/${pid}/fdinfo`)) {
      descriptors++;
      watches += readInfo(pid, name).split('inotify wd').length - 1;
    }
  return { watches, descriptors };
}

function readInfo(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/fdinfo/${name}`, 'latin1');
  } catch {
    return ''; // closed meanwhile
  }
}
