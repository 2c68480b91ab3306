/** Clears away what a process of this server left that has ended: keeps its uploads for resume, and ends its claims. */
import type { Settings } from '../config/settings.js';
import type { Db } from '../db/connection.js';
import { deleteOpenBytes } from '../db/control/openbytes.js';
import { removeSessionServer } from '../db/control/sessions.js';
import { deleteLeasesOf } from '../db/control/writerleases.js';
import { recoverPartials } from './partialrecovery.js';
import type { PartialPlace } from './partials.js';

interface Place extends PartialPlace {
  control: Db;
  settings: Pick<Settings, 'keepPartialHours'>;
}

/** May be repeated. @param process its name in the database, which no other one has had */
export async function forgetProcess(place: Place, process: string): Promise<void> {
  const { control, settings } = place;
  await removeSessionServer(control.write, process);
  await deleteLeasesOf(control.write, process);
  await deleteOpenBytes(control.write, process);
  const keeps = settings.keepPartialHours > 0;
  await recoverPartials({ ...place, process, isAlone: false, idleSince: Number.POSITIVE_INFINITY, keeps });
}
