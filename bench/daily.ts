/** A company's ordinary day: the whole users file comes again, few rows have changed, and others read the directory meanwhile. */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { settingsSchema } from '../config/settings.js';
import { openDirectory } from '../db/connection.js';
import { findUser, listUsers } from '../db/directory/users.js';
import { askDropslot, runDropslot } from '../demo/program.js';
import { runSftp } from './client.js';
import { watchMemory } from './memory.js';
import { summarizeLatencies } from './neighbour.js';
import { benchOrg, type Dropslot } from './peers.js';
import { describePeaks, mebibytes, type Section } from './report.js';
import type { Workbench } from './workbench.js';

interface Counts {
  created: number;
  updated: number;
  unchanged: number;
  faults: number;
  warnings: number;
}

interface Run {
  summary: { startedAt: number; appliedAt: number; users: Counts; teams: Counts };
  startedAt: string;
  finishedAt: string;
}

const fields = 30;
const changedRows = 300;
const usersPerTeam = 40;
const pauseMs = 20;

export async function benchDaily(bench: Workbench): Promise<Section> {
  const { folder, say, startOurs } = bench;
  const users = bench.flags.company;
  const teams = Math.max(1, Math.floor(users / usersPerTeam));
  const ours = await startOurs();
  await runDropslot(ours.data, ['orgs', 'set', benchOrg, 'earlyCheck=no']);
  const memory = watchMemory(process.pid);
  const section: Section = {
    title: 'A daily file',
    about: `${users} users in ${teams} teams, ${fields} custom fields. The whole file is uploaded each day, with ${changedRows} changed rows. Seconds of the run, from its claim until it is settled; meanwhile another process reads one user by address and a page of 100, in turn, with pauses of ${pauseMs} ms: milliseconds.`,
    header: ['import', 'file', 'run s', 'updated', 'reads', 'median', '99 %', 'longest'],
    rows: [],
    notes: [],
  };
  await write(join(folder, 'teams.csv'), teamsText(teams));
  await runSftp(ours, `put "${join(folder, 'teams.csv')}" teams.csv`);
  for (const [what, version] of [
    ['first import', 0],
    ['the day after', 1],
    ['the same file again', 1],
  ] as const) {
    const file = join(folder, 'users.csv');
    const bytes = await write(file, usersText(users, teams, version));
    await runSftp(ours, `put "${file}" users.csv`);
    const reading = beginReads(ours, users);
    await runDropslot(ours.data, ['import', benchOrg]);
    const latencies = await reading.stop();
    const run = await latestRun(ours);
    const { created, updated, unchanged, faults, warnings } = run.summary.users;
    if (faults + warnings > 0) throw new Error(`${faults} faults, ${warnings} warnings`);
    const expected =
      what === 'first import' ? [users, 0] : [0, version === 1 && what === 'the day after' ? changedRows : 0];
    if (created !== expected[0] || updated !== expected[1])
      throw new Error(`${what}: ${created} created, ${updated} updated, ${unchanged} unchanged`);
    const seconds = (Date.parse(run.finishedAt) - Date.parse(run.startedAt)) / 1000;
    say(`daily: ${what} ${seconds.toFixed(1)} s`);
    section.rows.push([what, mebibytes(bytes), seconds.toFixed(1), String(updated), ...summarizeLatencies(latencies)]);
  }
  const peaks = [...memory.peaks()].filter(([role]) =>
    ['dropslot serve', 'dropslot import', 'importer'].includes(role),
  );
  section.notes.push(`Peak resident memory: ${describePeaks(new Map(peaks))}.`);
  memory.stop();
  await ours.stop();
  return section;
}

async function latestRun(ours: Dropslot): Promise<Run> {
  const [latest] = await askDropslot<{ id: number }[]>(ours.data, ['runs', 'list', benchOrg]);
  return askDropslot<Run>(ours.data, ['runs', 'show', String(latest!.id)]);
}

/** Reads as an application beside the importer does, on connections of its own. */
function beginReads(ours: Dropslot, users: number): { stop(): Promise<number[]> } {
  const latencies: number[] = [];
  let going = true;
  const reads = (async () => {
    const directory = await openDirectory(settingsSchema.parse({ data: ours.data }));
    for (let turn = 0; going; turn++) {
      const email = emailOf((turn * 7919) % users);
      const started = performance.now();
      if (turn % 2 === 0) await findUser(directory.read, benchOrg, email);
      else await listUsers(directory.read, benchOrg, { after: email, limit: 100 });
      latencies.push(performance.now() - started);
      await sleep(pauseMs);
    }
    await directory.close();
  })();
  reads.catch(() => {}); // told by stop()
  return {
    stop: async () => {
      going = false;
      await reads;
      return latencies;
    },
  };
}

/** Bytes written. */
async function write(path: string, text: Generator<string>): Promise<number> {
  const file = createWriteStream(path);
  await pipeline(Readable.from(text), file);
  return file.bytesWritten;
}

function* teamsText(teams: number): Generator<string> {
  yield 'Team Name,Owner Email,Parent Team,Team Type\n';
  for (let index = 0; index < teams; index++)
    yield `Team ${index},${emailOf(index)},${index === 0 ? '' : `Team ${Math.floor((index - 1) / 8)}`},Squad\n`;
}

/** @param version 1: some rows have another value in one of the fields. */
function* usersText(users: number, teams: number, version: number): Generator<string> {
  const labels = Array.from({ length: fields }, (_, index) => `Field ${index + 1}`);
  yield `User Email,First Name,Last Name,Manager Email,Teams,User Account Type,${labels.join(',')}\n`;
  const every = Math.floor(users / changedRows);
  for (let index = 0; index < users; index++) {
    const manager = index === 0 ? '' : emailOf(Math.floor((index - 1) / 10));
    const isChanged = version === 1 && index % every === 0 && index / every < changedRows;
    const values = labels.map((_, field) =>
      field === 3 && isChanged ? 'changed' : `value ${(index * (field + 1)) % 1000}`,
    );
    yield `${emailOf(index)},First${index % 997},Last${index % 7919},${manager},Team ${index % teams},Regular,${values.join(',')}\n`;
  }
}

function emailOf(index: number): string {
  return `user${String(index).padStart(7, '0')}@bench.test`;
}
