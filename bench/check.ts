/** The early check of an organization's queue: processor time for many small files, for a few large ones, and for a queue that grows. */
import { checkNext } from '../importer/check/checkworker.js';
import { Company } from '../test/support/company.js';
import { openFresh } from '../test/support/databases.js';
import { openScope } from '../test/support/temporary.js';
import { mebibytes, type Section } from './report.js';
import type { Workbench } from './workbench.js';

interface Queue {
  title: string;
  files: number;
  /** Users of each file. */
  rows: number;
  /** Files that arrive together. */
  wave: number;
  /** Seconds from one wave to the next, by the clock that the checks see. */
  every?: number;
  /** Whether they are HR data. */
  isData: boolean;
}

const queues: Queue[] = [
  { title: 'small files at once', files: 50, rows: 5, wave: 50, isData: true },
  { title: 'small files at once', files: 300, rows: 5, wave: 300, isData: true },
  { title: 'small files at once', files: 1000, rows: 5, wave: 1000, isData: true },
  { title: 'small texts that are no HR data', files: 300, rows: 5, wave: 300, isData: false },
  { title: 'small files, ten each half minute', files: 300, rows: 5, wave: 10, every: 30, isData: true },
  { title: 'small files, one every 2 s', files: 300, rows: 5, wave: 1, every: 2, isData: true },
  { title: 'small files, one every 2 s', files: 500, rows: 5, wave: 1, every: 2, isData: true },
  { title: 'small files, one every 2 s (skipped from 501 on)', files: 600, rows: 5, wave: 1, every: 2, isData: true },
  { title: 'small files, one a minute', files: 300, rows: 5, wave: 1, every: 60, isData: true },
  { title: 'large files at once', files: 3, rows: 100_000, wave: 3, isData: true },
  { title: 'large files, one a minute', files: 3, rows: 100_000, wave: 1, every: 60, isData: true },
];

/** Longer than files are waited for that belong together. */
const quietMs = 3_000;
/** Longer than the pause between two checks of a long queue. */
const longMs = 601_000;

export async function benchCheck({ say }: Workbench): Promise<Section> {
  const section: Section = {
    title: 'Early check',
    about:
      'Files of one organization that wait for their import, checked in this process on the embedded database until none is left. Processor seconds (user and system) of the checks alone, without the uploads; files that arrive in turn are checked as the server checks them, by a clock that the bench moves.',
    header: ['queue', 'files', 'bytes', 'checks', 'processor s', 'ms a file'],
    rows: [],
    notes: [],
  };
  for (const queue of queues) {
    const { bytes, checks, seconds } = await measure(queue);
    say(`check: ${queue.files} ${queue.title} ${seconds.toFixed(1)} s`);
    section.rows.push([
      queue.title,
      String(queue.files),
      bytes < 1024 ** 2 ? `${Math.round(bytes / 1024)} KiB` : mebibytes(bytes),
      String(checks),
      seconds.toFixed(1),
      ((seconds * 1000) / queue.files).toFixed(0),
    ]);
  }
  return section;
}

async function measure(queue: Queue): Promise<{ bytes: number; checks: number; seconds: number }> {
  const scope = openScope();
  try {
    const company = await Company.open((one) => openFresh(one, 'sqlite'), scope);
    const deps = { ...company.deps, mustYield: () => false };
    let [bytes, checks, microseconds] = [0, 0, 0];
    const check = async () => {
      const before = process.cpuUsage();
      while ((await checkNext(deps)) === 'checked') checks++;
      const { user, system } = process.cpuUsage(before);
      microseconds += user + system;
    };
    for (let file = 0; file < queue.files; file++) {
      const text = contentOf(queue, file);
      bytes += Buffer.byteLength(text);
      await company.drop(`/file-${file}.csv`, text);
      if ((file + 1) % queue.wave !== 0) continue;
      const everyMs = (queue.every ?? 0) * 1000;
      const restMs = everyMs === 0 ? quietMs : Math.min(quietMs, everyMs);
      company.clock += restMs;
      await check();
      company.clock += Math.max(0, everyMs - restMs);
    }
    company.clock += longMs;
    await check();
    return { bytes, checks, seconds: microseconds / 1e6 };
  } finally {
    await scope.close();
  }
}

function contentOf({ rows, isData }: Queue, file: number): string {
  if (!isData) return `Document ${file},Text\n${'some text,more text\n'.repeat(rows)}`;
  const lines = Array.from(
    { length: rows },
    (_, row) => `user${file}-${row}@bench.test,First${row},Last${file},Team ${row % 40},Regular\n`,
  );
  return `User Email,First Name,Last Name,Teams,User Account Type\n${lines.join('')}`;
}
