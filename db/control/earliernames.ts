/** The traces of earlier uploads at a path, which a new file there ends: partials that were cut off, and a name that an import moved. */
import type { Queryable } from '../connection.js';
import { forgetMoved } from './movednames.js';
import { deletePartials } from './partials.js';

/** One statement for the usual case, in which there are none: each CLOSE asks. Returns the partials whose files may be deleted. */
export async function forgetEarlier(tx: Queryable, org: string, path: string): Promise<string[]> {
  const slash = path.lastIndexOf('/');
  const place = { org_id: org, dir: path.slice(0, slash) || '/', name: path.slice(slash + 1) };
  const moved = tx('moved_names').where(place).select(tx.raw("'' AS id"));
  const partials = tx('partials').where({ ...place, state: 'kept' });
  const rows: { id: string }[] = await partials.select('id').unionAll(moved);
  if (rows.some(({ id }) => id === '')) await forgetMoved(tx, org, path);
  return deletePartials(
    tx,
    rows.filter(({ id }) => id !== ''),
  );
}
