/** Starts the fetching from sources and the watched folders in the process of the scheduler, on nodes that hold the master key. */
import type { RunDeps } from '../importer/run/deps.js';
import { slotDays } from '../importer/schedule/cadence.js';
import { nextSlot } from '../importer/schedule/calendar.js';
import type { MasterKey } from '../keys/master/master.js';
import { makeWorkDeps } from '../sources/parts.js';
import { type Watching, watchSources } from '../sources/watch.js';

/** Its steps are not those of a run. */
type Deps = Omit<RunDeps, 'onStep'>;

export function startDoors(
  { control, paths, settings, logger, now, identity }: Deps,
  loadMaster: () => Promise<MasterKey>,
): Watching {
  return watchSources(
    makeWorkDeps({
      ...{ control, paths, settings, logger, now, identity },
      loadMaster,
      nextSlot: (org, after) => nextSlot(org.timeZone, org.slot, after, slotDays(org.options)).at,
    }),
  );
}
