/** Starts the deliveries of events in the process of the scheduler, on nodes that hold the master key. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { makeDeliverers } from '../events/deliverers.js';
import { type Deliveries, startDeliveries } from '../events/delivery.js';
import { syncOperatorMail } from '../events/mail/operators.js';
import { explainCode } from '../importer/codes.js';
import type { RunDeps } from '../importer/run/deps.js';
import type { MasterKey } from '../keys/master/master.js';

export async function startEventDeliveries(
  { control, directory, settings, logger, now }: Pick<RunDeps, 'control' | 'directory' | 'settings' | 'logger' | 'now'>,
  loadMaster: () => Promise<MasterKey>,
): Promise<Deliveries> {
  await syncOperatorMail({ control, directory, settings, now });
  const owner = `${hostname()}:${process.pid}:${randomBytes(6).toString('hex')}`;
  const deliverers = makeDeliverers({ control, settings, now, loadMaster, explainCode });
  // On SQLite one server locks the data folder.
  const isAlone = control.dialect === 'sqlite';
  return startDeliveries({ control, directory, logger, now, owner, deliverers, isAlone });
}
