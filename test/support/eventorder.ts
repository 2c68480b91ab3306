/** Events of two runs, and the order in which a subscriber of all of them must get them. */
import { readEvents, recordEvent } from '../../db/control/events.js';
import { readDirectoryEvents } from '../../db/directory/events.js';
import { type Company, csv } from './company.js';
import type { TestDatabases } from './databases.js';

/** Two runs, with another event between them. @returns the ids of all events, in the order in which a subscriber must get them */
export async function fillOutbox(acme: Company): Promise<string[]> {
  const { databases } = acme;
  const rows = (from: number, to: number) =>
    csv('User Email,User Name', ...Array.from({ length: to - from }, (_, n) => `u${from + n}@acme.test,U${from + n}`));
  await acme.import({ 'users.csv': rows(0, 7) });
  await recordEvent(databases.control.write, { at: 1, org: null, type: 'disk.low', subject: 'disk', data: {} });
  await acme.import({ 'users.csv': rows(5, 12) });
  return expectedOrder(databases);
}

/** Ids in the order in which a subscriber must get them. */
async function expectedOrder({ control, directory }: TestDatabases): Promise<string[]> {
  const all = { after: 0, to: Number.MAX_SAFE_INTEGER, limit: 1000 };
  const users = (await readDirectoryEvents(directory.read, all)).filter(({ run }) => run !== null);
  return (await readEvents(control.read, all)).flatMap(({ id, type, run }) => {
    if (!type.startsWith('run.completed')) return [id];
    return [...users.filter((one) => one.run === run).map((one) => one.id), id];
  });
}

/** Each for the first time: repetitions are allowed, gaps and other orders are not. */
export function firsts(ids: readonly string[]): string[] {
  return [...new Set(ids)];
}
