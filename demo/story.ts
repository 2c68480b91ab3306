/** Runs the demo from beginning to end: start a server, add an organization, upload files, import them, show the results. */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { parse } from 'csv-parse/sync';
import { DateTime } from 'luxon';
import { type Company, createCompany, ownerEmail } from './company.js';
import { renewFolder, writeLoginKey } from './folder.js';
import { closeOffice } from './guard.js';
import { fetchFromPartner } from './partner.js';
import { askDropslot, runDropslot, startDropslot } from './program.js';
import { alignColumns, drawTree, type Stage, type TeamLine } from './show.js';
import { type Client, chooseClient } from './transfer.js';

const org = 'acme';

type Row = Record<string, string>;

/** The part of the output of `dropslot runs show --json` that the demo needs. */
interface Run {
  summary: { files: { name: string; archivedAs: string | null; report: string | null }[] };
}

/** @throws Error when any step fails, or has another result than the story expects. */
export async function tellStory(folder: string, stage: Stage): Promise<void> {
  const { step, say } = stage;
  const data = join(folder, 'data');
  const shown = shorten(data);
  await renewFolder(folder);

  step('Start the server on a new data folder');
  const server = await startDropslot(data);
  try {
    say(`SFTP on 127.0.0.1:${server.port}; all its files are in ${shown}:`);
    say((await readdir(data)).filter((name) => !/-(wal|shm|journal)$/.test(name)).join('  '));

    step(`Add the organization ${org}, and register the login key of its HR system`);
    const { privateKey, publicKey } = await writeLoginKey(folder);
    await runDropslot(data, ['orgs', 'add', org, '--owner', ownerEmail, '--name', 'Acme Corp', '--enable']);
    await runDropslot(data, ['keys', 'add', org, publicKey, '--label', 'HR system']);
    say(`owner ${ownerEmail}, login key ${shorten(publicKey)}`);

    const hostKeys = join(data, 'keys', 'host');
    const client = await chooseClient({ port: server.port, org, hostKeys, folder, privateKey });
    const today = DateTime.utc();
    const company = createCompany(today);
    step(`Upload the export of the HR system: ${company.people} people, with ${client.name}`);
    await push(client, company, folder, say);
    say(...(await describeSeals(data)));

    step('Import the files now (without this command: once a day, at the slot)');
    await runDropslot(data, ['import', org], { onLine: say });
    const run = await latestRun(data);

    step('The sender downloads the reports: each mistake with its line');
    say(...(await fetchMistakes(client, run, company, folder)));

    step('The imported files are in the archive; the upload folder is empty');
    for (const path of new Set(run.summary.files.flatMap((file) => file.archivedAs ?? []).map(dirname))) {
      say(path, ...(await client.list(path)).map((line) => `  ${line}`));
    }

    step('The teams that the files created');
    say(...drawTree(await readTeams(data)));

    await closeOffice({ data, folder, org, client }, company, today, stage);

    await fetchFromPartner(data, folder, stage);
  } finally {
    await server.stop();
  }

  step('The server has stopped. Commands to continue with:');
  say(
    `npx dropslot --data ${shown} users list ${org}`,
    `npx dropslot --data ${shown} users show ${org} ${ownerEmail}`,
    `npx dropslot --data ${shown} runs list ${org}`,
    `npx dropslot --data ${shown} files list ${org} /reports`,
    `npx dropslot --data ${shown} doctor`,
    `npx dropslot --data ${shown} serve     and, beside it:`,
    `sftp -P 2222 -i ${shorten(join(folder, 'login_key'))} ${org}@127.0.0.1`,
  );
}

async function push(client: Client, company: Company, folder: string, say: Stage['say']): Promise<void> {
  const files = { 'teams.csv': company.teamsCsv, 'users.csv': company.usersCsv };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  await client.push(Object.keys(files).map((name) => join(folder, name)));
  const listed = await client.list('/');
  for (const name of Object.keys(files)) {
    const line = listed.find((entry) => entry.split(/[ /]/).at(-1) === name);
    if (line === undefined) throw new Error(`${name} was uploaded, but the server does not list it`);
    say(line);
  }
}

/** The stored files as a thief of the disk would see them: name, size, first bytes. */
async function describeSeals(data: string): Promise<string[]> {
  const blobs = join(data, 'blobs');
  const files = (await readdir(blobs, { recursive: true })).map((name) => join(blobs, name));
  const lines: string[] = [];
  for (const file of files) {
    if (!(await stat(file)).isFile()) continue;
    const bytes = await readFile(file);
    if (bytes.includes('acme.test')) throw new Error(`${file} is not encrypted`);
    lines.push(
      `on the disk, encrypted: ${basename(file)}, ${bytes.length} bytes: ${bytes.toString('latin1', 0, 21)} …`,
    );
  }
  return lines;
}

async function latestRun(data: string): Promise<Run> {
  const [latest] = await askDropslot<{ id: number }[]>(data, ['runs', 'list', org]);
  if (latest === undefined) throw new Error('the import opened no run');
  return askDropslot<Run>(data, ['runs', 'show', String(latest.id)]);
}

/** @throws Error when a report lacks one of the mistakes. */
async function fetchMistakes(client: Client, run: Run, company: Company, folder: string): Promise<string[]> {
  const lines: string[] = [];
  for (const { name, report } of run.summary.files) {
    if (report === null) throw new Error(`${name} has no report`);
    const local = join(folder, basename(report));
    await client.fetch(report, local);
    const issues: Row[] = parse(await readFile(local), { columns: true, bom: true });
    for (const mistake of company.mistakes.filter(({ file }) => file === name)) {
      const isReported = issues.some(
        ({ line, severity }) => severity === mistake.severity && mistake.lines.includes(Number(line)),
      );
      if (!isReported)
        throw new Error(`${report} does not report ${mistake.about} on line ${mistake.lines.join(' or ')}`);
    }
    lines.push(report, ...alignColumns(issues.map(describeIssue)).map((line) => `  ${line}`));
  }
  return lines;
}

function describeIssue(issue: Row): string[] {
  return [`line ${issue.line}`, issue.severity!, issue.column!, issue.message!];
}

async function readTeams(data: string): Promise<TeamLine[]> {
  const table = async (kind: 'teams' | 'users'): Promise<Row[]> =>
    parse((await runDropslot(data, [kind, 'export', org])).stdout, { columns: true, bom: true });
  const members = new Map<string, number>();
  for (const user of await table('users')) {
    for (const team of splitTeams(user.Teams!)) members.set(team, (members.get(team) ?? 0) + 1);
  }
  return (await table('teams')).map((team) => ({
    name: team['Team Name']!,
    parent: team['Parent Team']!,
    type: team['Team Type']!,
    owner: team['Owner Email']!,
    members: members.get(team['Team Name']!) ?? 0,
  }));
}

/** The names of a `Teams` cell: separated by commas; quotes keep a comma in a name. */
function splitTeams(cell: string): string[] {
  const names: string[][] = parse(cell, { delimiter: ',', trim: true, relax_quotes: true });
  return names[0] ?? [];
}

/** The path relative to the current folder, if it is below it. */
function shorten(path: string): string {
  const below = relative(process.cwd(), path);
  return below === '' || below.startsWith('..') ? path : below;
}
