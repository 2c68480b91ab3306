/** The demo's second file: an office closes, the import is held, and the operator approves it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import type { DateTime } from 'luxon';
import type { Company } from './company.js';
import { askDropslot, ProgramError, runDropslot } from './program.js';
import type { Stage } from './show.js';
import type { Client } from './transfer.js';

interface Run {
  id: number;
  state: string;
}

/** @throws Error when the run is not held, or not applied once it is approved. */
export async function closeOffice(
  place: { data: string; folder: string; org: string; client: Client },
  company: Company,
  today: DateTime,
  { step, say }: Stage,
): Promise<void> {
  const { data, folder, org, client } = place;
  const { city, emails } = largestOffice(company);
  step(
    `The ${city} office closes: a file deactivates ${emails.length} of ${company.people} people. Dropslot holds the import`,
  );
  const file = join(folder, 'leavers.csv');
  const date = today.plus({ months: 1 }).endOf('month').toISODate()!;
  await writeFile(file, stringify([['User Email', 'Deactivation Date'], ...emails.map((email) => [email, date])]));
  await client.push([file]);
  await runDropslot(data, ['import', org], { onLine: say }).catch((error: Error) => {
    // A held run makes the command exit with an error, so that scripts notice it.
    if (!(error instanceof ProgramError)) throw error;
  });
  const held = await latestRun(data, org);
  if (held.state !== 'held') throw new Error(`the run is ${held.state} instead of held`);

  step(`HR confirms the file, and the operator approves run ${held.id}`);
  const note = `${city} closes, HR confirmed`;
  await runDropslot(data, ['runs', 'approve', String(held.id), '--note', note, '--yes'], { onLine: say });
  const approved = await latestRun(data, org);
  if (approved.state !== 'done') throw new Error(`the approved run is ${approved.state} instead of done`);
}

/** The city where most people work, and its people without the admins. */
function largestOffice({ usersCsv }: Company): { city: string; emails: string[] } {
  const rows: Record<string, string>[] = parse(usersCsv, { columns: true, bom: true, relax_column_count: true });
  const offices = new Map<string, string[]>();
  for (const row of rows) {
    const [city, email] = [row.Location!, row['User Email']!];
    if (city === 'Remote' || row['Is Org Admin'] === 'Yes' || !/^[\w.-]+@/.test(email)) continue;
    offices.set(city, [...(offices.get(city) ?? []), email]);
  }
  const [city, emails] = [...offices].sort(([, a], [, b]) => b.length - a.length)[0]!;
  return { city, emails };
}

async function latestRun(data: string, org: string): Promise<Run> {
  const [latest] = await askDropslot<Run[]>(data, ['runs', 'list', org]);
  if (latest === undefined) throw new Error('the import opened no run');
  return latest;
}
