/** Starts the deliveries of events in the process of the scheduler, on nodes that hold the master key. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { findOrg, type Org } from '../db/control/orgs.js';
import { makeDeliverers } from '../events/deliverers.js';
import { type Deliveries, type DeliveryDeps, startDeliveries } from '../events/delivery.js';
import { createAbsenceDeliverer } from '../events/embedded/absence.js';
import { syncOperatorMail } from '../events/mail/operators.js';
import { explainCode } from '../importer/codes.js';
import type { RunDeps } from '../importer/run/deps.js';
import { nextImport } from '../importer/schedule/nextimport.js';
import type { MasterKey } from '../keys/master/master.js';
import { startDailyExports } from '../operations/exports/daily.js';
import { createExportDeliverer } from '../operations/exports/deliverer.js';

export async function startEventDeliveries(
  {
    control,
    directory,
    paths,
    settings,
    logger,
    now,
  }: Pick<RunDeps, 'control' | 'directory' | 'paths' | 'settings' | 'logger' | 'now'>,
  loadMaster: () => Promise<MasterKey>,
  onAttempt?: DeliveryDeps['onAttempt'],
): Promise<Deliveries> {
  await syncOperatorMail({ control, directory, settings, now });
  const owner = `${hostname()}:${process.pid}:${randomBytes(6).toString('hex')}`;
  const org = async (id: string) => {
    const found = await findOrg(control.read, id);
    if (found === null) throw new Error(`the organization ${id} was removed`);
    return found;
  };
  const exporting = { control, directory, paths, settings, logger, now, org, loadMaster, actor: 'system' };
  const nextOf = (of: Org, at: number) => nextImport(of, at, settings.slotJitterMinutes);
  const own = [
    ...makeDeliverers({ control, settings, now, loadMaster, explainCode, nextImport: nextOf }),
    createExportDeliverer(exporting),
  ];
  const deliverers = [...own, createAbsenceDeliverer(now)];
  // On SQLite one server locks the data folder. To handlers it delivers nothing: their program does.
  const aloneWith = control.dialect === 'sqlite' ? own.map(({ kind }) => kind) : [];
  const of = { control, directory, logger, now, owner, deliverers, aloneWith };
  const deliveries = startDeliveries({ ...of, ...(onAttempt && { onAttempt }) });
  const daily = startDailyExports({ control, logger, now });
  return {
    wake: deliveries.wake,
    stop: async () => {
      await Promise.all([deliveries.stop(), daily.stop()]);
    },
  };
}
