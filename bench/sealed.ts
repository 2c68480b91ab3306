/** The first import of a users file into a directory in the clear, and into a sealed one (`sealDirectory`), in turn. */
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { runDropslot } from '../demo/program.js';
import { runSftp } from './client.js';
import { generateUsers } from './generate.js';
import { benchOrg } from './peers.js';
import { mebibytes, median, type Section, spread } from './report.js';
import type { Workbench } from './workbench.js';

/** Of the processor times in /proc; the same on every Linux. */
const ticksPerSecond = 100;

interface Measure {
  wall: number;
  /** User and system time of `dropslot import`. */
  processor: number;
  bytes: number;
}

const kinds = ['off', 'on'] as const;

export async function benchSealed({ flags, folder, say, startOurs }: Workbench): Promise<Section> {
  const [rows] = flags.rows;
  const file = join(folder, 'users.csv');
  await generateUsers(file, rows!);
  const measures = new Map(kinds.map((kind) => [kind, [] as Measure[]]));
  // One more, which is not counted: the first one reads the programs from the disk.
  for (let turn = 0; turn <= flags.runs; turn++)
    for (const kind of kinds) {
      process.env.DROPSLOT_SEAL_DIRECTORY = kind;
      const ours = await startOurs();
      await runSftp(ours, `put "${file}" users.csv`);
      await ours.stop(); // so that the command does the run, and no importer of the server
      const [before, started] = [await readChildTime(), performance.now()];
      await runDropslot(ours.data, ['import', benchOrg]);
      const wall = (performance.now() - started) / 1000;
      const processor = (await readChildTime()) - before;
      const { size } = await stat(join(ours.data, 'directory.db'));
      say(`sealed ${kind}: ${wall.toFixed(1)} s, processor ${processor.toFixed(1)} s`);
      if (turn > 0) measures.get(kind)!.push({ wall, processor, bytes: size });
    }
  delete process.env.DROPSLOT_SEAL_DIRECTORY;
  await rm(file);
  const clear = median(measures.get('off')!.map(({ processor }) => processor));
  return {
    title: 'A sealed directory',
    about: `The first import of ${rows} users by \`dropslot import\`, with \`sealDirectory\` off and on in turn, each on a new data folder. Median (lowest–highest) of ${flags.runs} pairs.`,
    header: ['sealDirectory', 'seconds', 'processor s', 'against off', 'directory.db'],
    rows: [...measures].map(([kind, all]) => {
      const processor = all.map((one) => one.processor);
      return [
        kind,
        spread(
          all.map(({ wall }) => wall),
          1,
        ),
        spread(processor, 1),
        `${(median(processor) / clear).toFixed(2)}×`,
        mebibytes(all[0]!.bytes),
      ];
    }),
    notes: [],
  };
}

/** Processor seconds of the programs that this process has run and waited for (proc(5), fields 16 and 17 of stat). */
async function readChildTime(): Promise<number> {
  const fields = (await readFile('/proc/self/stat', 'utf8')).replace(/^.*\) /, '').split(' ');
  return (Number(fields[13]) + Number(fields[14])) / ticksPerSecond;
}
