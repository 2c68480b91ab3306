/** The databases that a move fills: whether they may be filled, and how they are opened and described. */
import { readDatabase, SettingsError } from '../../config/load.js';
import { databaseForm, type Settings, settingsSchema } from '../../config/settings.js';
import { type Db, openToFill } from '../../db/connection.js';
import { readControlMarks } from '../../db/control/pair.js';
import { claimDatabase } from '../../db/move/lock.js';
import { hasMoved, type MoveState, readMoveState } from '../../db/move/state.js';
import type { Claim } from '../../db/postgres/claim.js';
import { readHosts } from '../../db/postgres/hosts.js';
import { openDirectoryToFill } from '../../keys/master/directory.js';
import { OperationError } from '../error.js';
import type { Workplace } from '../workplace.js';

/** `--to`: where the data goes. */
export interface Destination {
  /** As the setting `database` has it: `sqlite`, a URL, or the source of one. */
  given: string;
  settings: Settings;
  /** Without secrets, for sentences. */
  name: string;
}

export interface Target {
  control: Db;
  directory: Db;
  /** null: it was empty. */
  state: MoveState | null;
  /** One move at a time fills it. */
  claim: Claim;
  close(): Promise<void>;
}

/** Two readers and two writers at once. */
const leastConnections = 6;

/** @throws OperationError `usage` when the value is no database, or has a password that everybody on the machine would see */
export function readDestination(given: string, current: Settings): Destination {
  const checked = settingsSchema.shape.database.safeParse(given);
  if (!checked.success)
    throw new OperationError(
      'usage',
      `--to ${checked.error.issues[0]!.message}; for example --to file:/etc/dropslot/database-url, or --to sqlite`,
    );
  if (databaseForm.test(given) && given !== 'sqlite' && !isUrl(given))
    throw new OperationError('usage', `--to is no URL: ${given.replace(/\/\/.*@/, '//…@')}`);
  if (databaseForm.test(given) && given !== 'sqlite' && hasPassword(given))
    throw new OperationError(
      'usage',
      'the URL has a password, which everybody on this machine can see in the list of processes: write the URL into a private file and give --to file:PATH',
    );
  let database: string;
  try {
    database = readDatabase({ database: given, credentials: current.credentials });
  } catch (cause) {
    if (cause instanceof SettingsError)
      throw new OperationError('usage', cause.message.replace('setting database', '--to'), { cause });
    throw cause;
  }
  if (database !== 'sqlite' && !isUrl(database))
    throw new OperationError('usage', `--to: ${given} does not have the URL of a PostgreSQL database`);
  if (database === current.database)
    throw new OperationError('usage', 'the settings name this database already: --to must name another one');
  const databasePool = Math.max(leastConnections, current.databasePool);
  const settings: Settings = { ...current, database, databasePool };
  return { given, settings, name: nameDatabase(settings) };
}

/** Without user name, password and options. */
export function nameDatabase({ database, data }: Pick<Settings, 'database' | 'data'>): string {
  if (database === 'sqlite') return `the SQLite database in ${data}`;
  const servers = readHosts(database).map((url) => new URL(url));
  const { pathname, searchParams } = servers[0]!;
  const places = servers.map(({ hostname, port }) => {
    const host = decodeURIComponent(hostname) || searchParams.get('host') || 'this machine';
    return `${host}${port === '' ? '' : `:${port}`}`;
  });
  return `the PostgreSQL database ${decodeURIComponent(pathname.slice(1)) || '(default)'} on ${places.join(' or ')}`;
}

/**
 * Opens it, and makes its tables where it has none.
 * @param moved of the source: the target may be in use then, with the data of this installation, and must not be empty
 * @throws OperationError `refused` when it has data of its own, or another move fills it
 */
export async function openTarget(
  source: Workplace,
  { settings, name }: Destination,
  moved: Pick<MoveState, 'moveId' | 'other'> | null = null,
): Promise<Target> {
  const control = await openToFill(settings, 'control');
  const ends = [control.close];
  const close = async () => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    const claim = await claimDatabase(control);
    if (claim === null)
      throw new OperationError('refused', `another "dropslot migrate" works on ${name}: wait for its end`);
    ends.push(claim.release);
    const state = await readMoveState(control.read);
    await requireFree(source, control, state, name, moved);
    const directory = await openDirectoryToFill(settings, {
      control: control.write,
      master: source.master,
      makeMaster: source.master,
      now: source.now,
    });
    ends.push(directory.close);
    if (directory.withheld !== undefined) throw directory.withheld;
    return { control, directory, state, claim, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** It is empty, or belongs to a move of this installation: one that was interrupted, or one in the other direction. */
async function requireFree(
  source: Workplace,
  control: Db,
  state: MoveState | null,
  name: string,
  moved: Pick<MoveState, 'moveId' | 'other'> | null,
): Promise<void> {
  const { pairId } = await readControlMarks(source.control.read);
  if (state !== null && state.pairId === pairId) return;
  if (moved !== null) {
    // Of an empty one, or of an older copy, no server may start.
    if (
      state === null &&
      (await readControlMarks(control.read)).pairId === pairId &&
      (await hasMoved(control.read, moved.moveId))
    )
      return;
    throw new OperationError(
      'refused',
      `this installation was moved to ${moved.other}, and ${name} is another database: name that one`,
    );
  }
  const isEmpty =
    state === null &&
    (await control.read('orgs').first('id')) === undefined &&
    (await control.read('audit').first('id')) === undefined;
  if (isEmpty) return;
  throw new OperationError(
    'refused',
    `${name} has data already, which a move never replaces: name an empty database, or remove that data first`,
  );
}

function isUrl(url: string): boolean {
  const servers = readHosts(url);
  return servers.length > 0 && servers.every((each) => URL.canParse(each));
}

function hasPassword(url: string): boolean {
  return readHosts(url).some((each) => {
    const { password, searchParams } = new URL(each);
    return password !== '' || searchParams.has('password');
  });
}
