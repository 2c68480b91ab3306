/** A large users file from upload to report, first new and then unchanged, while another organization uploads and lists files. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeLoginKey } from '../demo/folder.js';
import { askDropslot, runDropslot, runProgram } from '../demo/program.js';
import { hashFile, runSftp } from './client.js';
import { type Generated, generateUsers } from './generate.js';
import { watchMemory } from './memory.js';
import { type Latencies, openNeighbour, summarizeLatencies } from './neighbour.js';
import { addOrg, benchOrg, type Dropslot } from './peers.js';
import { describePeaks, mebibytes, ratio, type Section } from './report.js';
import type { Workbench } from './workbench.js';

interface Counts {
  created: number;
  updated: number;
  unchanged: number;
  stubs: number;
  faults: number;
  warnings: number;
}

interface Run {
  summary: {
    users: Counts;
    teams: Counts;
    files: { sha256: string; archivedAs: string | null; report: string | null }[];
  };
}

const neighbourOrg = 'neighbour';
const idleMs = 15_000;

export async function benchImport(bench: Workbench): Promise<Section[]> {
  const imports: Section = {
    title: 'Import',
    about:
      'A users file through `sftp put` and `dropslot import`: seconds of the whole command, from the opening of the run to the archived file and its ' +
      'report, on the embedded database. First into an empty directory, then the same file again. The counts and the archived bytes are checked.',
    header: [
      'rows',
      'file',
      'upload s',
      'first s',
      'rows /s',
      'again s',
      'csv-parse alone s',
      'first / csv-parse',
      'peak resident memory',
    ],
    rows: [],
    notes: [],
  };
  const latencies: Section = {
    title: 'A neighbour during the import',
    about:
      'A second organization uploads a file of 20 kB and lists its root, in turn, over an open session (ssh2-sftp-client), with pauses of 50 ms, ' +
      'before and while the first organization imports. Milliseconds.',
    header: ['meanwhile', 'request', 'count', 'median', '99 %', 'longest'],
    rows: [],
    notes: [],
  };
  for (const rows of bench.flags.rows) await measureImport(bench, rows, imports, latencies);
  return [imports, latencies];
}

async function measureImport(bench: Workbench, rows: number, imports: Section, latencies: Section): Promise<void> {
  const { folder, say, startOurs } = bench;
  const file = join(folder, 'users.csv');
  const generated = await generateUsers(file, rows);
  say(`import ${rows}: ${mebibytes(generated.bytes)} generated`);
  const parsed = await parseAlone(file, generated);
  say(`import ${rows}: csv-parse alone ${parsed.seconds.toFixed(2)} s`);

  const ours = await startOurs();
  const memory = watchMemory(process.pid);
  const neighbourKey = await writeLoginKey(ours.folder, 'neighbour_key');
  await addOrg(ours.data, neighbourOrg, neighbourKey);
  const neighbour = await openNeighbour({ ...ours, user: neighbourOrg, privateKey: neighbourKey.privateKey });
  const before = neighbour.begin();
  await new Promise((resolve) => setTimeout(resolve, idleMs));
  const idle = await before.stop();

  const visits = neighbour.begin();
  const upload = await runSftp(ours, `put "${file}" users.csv`);
  const first = await timeImport(ours);
  const busy = await visits.stop();
  checkFirst(await latestRun(ours), generated);
  say(`import ${rows}: upload ${upload.toFixed(1)} s, first ${first.toFixed(1)} s`);
  await runSftp(ours, `put "${file}" users.csv`);
  const again = await timeImport(ours);
  const run = await latestRun(ours);
  checkAgain(run, generated);
  await checkArchived(ours, run, generated, join(folder, 'archived.csv'));
  say(`import ${rows}: again ${again.toFixed(1)} s`);

  imports.rows.push([
    ...[
      String(rows),
      mebibytes(generated.bytes),
      upload.toFixed(1),
      first.toFixed(1),
      Math.round(rows / first).toString(),
    ],
    ...[
      again.toFixed(1),
      parsed.seconds.toFixed(1),
      ratio(first, parsed.seconds),
      describePeaks(ourPeaks(memory.peaks())),
    ],
  ]);
  imports.notes.push(`csv-parse alone, ${rows} rows: peak resident memory ${mebibytes(parsed.peakBytes)}.`);
  addLatencies(latencies, 'nothing else', idle);
  addLatencies(latencies, `upload and first import of ${rows} rows`, busy);
  await neighbour.leave();
  memory.stop();
  await ours.stop();
  await rm(file);
}

/** Without the clients that the bench itself starts. */
function ourPeaks(peaks: Map<string, number>): Map<string, number> {
  return new Map([...peaks].filter(([role]) => ['dropslot serve', 'dropslot import', 'importer'].includes(role)));
}

async function timeImport(ours: Dropslot): Promise<number> {
  const started = performance.now();
  await runDropslot(ours.data, ['import', benchOrg]);
  return (performance.now() - started) / 1000;
}

async function latestRun(ours: Dropslot): Promise<Run> {
  const [latest] = await askDropslot<{ id: number }[]>(ours.data, ['runs', 'list', benchOrg]);
  return askDropslot<Run>(ours.data, ['runs', 'show', String(latest!.id)]);
}

function checkFirst({ summary }: Run, { rows, teams }: Generated): void {
  expect('users created', summary.users.created, rows);
  expect('teams created', summary.teams.created + summary.teams.stubs, teams);
  checkClean(summary.users);
}

function checkAgain({ summary }: Run, { rows }: Generated): void {
  expect('users unchanged', summary.users.unchanged, rows);
  expect('users created', summary.users.created, 0);
  expect('users updated', summary.users.updated, 0);
  checkClean(summary.users);
}

function checkClean(users: Counts): void {
  expect('faults', users.faults, 0);
  expect('warnings', users.warnings, 0);
}

async function checkArchived(ours: Dropslot, run: Run, generated: Generated, local: string): Promise<void> {
  const [file] = run.summary.files;
  // There is no report where there is nothing to report.
  if (file?.archivedAs == null) throw new Error('the run left no archived file');
  await runSftp(ours, `get "${file.archivedAs}" "${local}"`);
  if ((await hashFile(local)) !== generated.sha256)
    throw new Error('the archived file has other bytes than the one sent');
  await rm(local);
}

function expect(what: string, actual: number, wanted: number): void {
  if (actual !== wanted) throw new Error(`${what}: ${actual} instead of ${wanted}`);
}

async function parseAlone(file: string, generated: Generated): Promise<{ seconds: number; peakBytes: number }> {
  const script = fileURLToPath(new URL('./parse.ts', import.meta.url));
  const { stdout } = await runProgram(process.execPath, ['--import', 'tsx', script, file]);
  const parsed = JSON.parse(stdout) as { rows: number; seconds: number; peakBytes: number };
  expect('rows parsed', parsed.rows, generated.rows);
  return parsed;
}

function addLatencies(section: Section, meanwhile: string, { uploads, listings }: Latencies): void {
  section.rows.push([meanwhile, 'upload', ...summarizeLatencies(uploads)]);
  section.rows.push([meanwhile, 'listing', ...summarizeLatencies(listings)]);
}
