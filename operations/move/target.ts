/** The databases that a move fills: whether they may be filled, and how they are opened and described. */
import { readDatabase, SettingsError } from '../../config/load.js';
import { databaseForm, type Settings, settingsSchema } from '../../config/settings.js';
import { type Db, openToFill } from '../../db/connection.js';
import { readControlMarks } from '../../db/control/pair.js';
import { type MoveState, readMoveState } from '../../db/move/state.js';
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
  if (database === current.database)
    throw new OperationError('usage', 'the settings name this database already: --to must name another one');
  const databasePool = Math.max(leastConnections, current.databasePool);
  const settings: Settings = { ...current, database, databasePool };
  return { given, settings, name: nameDatabase(settings) };
}

/** Without user name, password and options. */
export function nameDatabase({ database, data }: Pick<Settings, 'database' | 'data'>): string {
  if (database === 'sqlite') return `the SQLite database in ${data}`;
  const { hostname, port, pathname, searchParams } = new URL(database);
  const host = decodeURIComponent(hostname) || searchParams.get('host') || 'this machine';
  return `the PostgreSQL database ${decodeURIComponent(pathname.slice(1)) || '(default)'} on ${host}${port === '' ? '' : `:${port}`}`;
}

/**
 * Opens it, and makes its tables where it has none.
 * @param isInUse it may have the data of this installation, as after a move
 * @throws OperationError `refused` when it has data of its own
 */
export async function openTarget(source: Workplace, { settings, name }: Destination, isInUse = false): Promise<Target> {
  const control = await openToFill(settings, 'control');
  const opened: Db[] = [control];
  const close = async () => {
    for (const db of opened.splice(0).reverse()) await db.close();
  };
  try {
    const state = await readMoveState(control.read);
    await requireFree(source, control, state, name, isInUse);
    const directory = await openDirectoryToFill(settings, {
      control: control.write,
      master: source.master,
      makeMaster: source.master,
      now: source.now,
    });
    opened.push(directory);
    if (directory.withheld !== undefined) throw directory.withheld;
    return { control, directory, state, close };
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
  isInUse: boolean,
): Promise<void> {
  const { pairId } = await readControlMarks(source.control.read);
  if (state !== null && state.pairId === pairId) return;
  if (isInUse && (await readControlMarks(control.read)).pairId === pairId) return;
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

function hasPassword(url: string): boolean {
  const { password, searchParams } = new URL(url);
  return password !== '' || searchParams.has('password');
}
