/** Starts the deliveries of events in the process of the scheduler, on nodes that hold the master key. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { readVersion } from '../config/environment.js';
import { createCommandDeliverer } from '../events/command/command.js';
import type { Deliverer } from '../events/deliverer.js';
import { type Deliveries, startDeliveries } from '../events/delivery.js';
import { createSecretReader } from '../events/secrets.js';
import { createWebhookDeliverer } from '../events/webhook/webhook.js';
import type { RunDeps } from '../importer/run/deps.js';
import type { MasterKey } from '../keys/master/master.js';

/** One of each kind of subscriber. */
export function makeDeliverers(loadMaster: () => Promise<MasterKey>, now: () => number): Deliverer[] {
  const openSecrets = createSecretReader(loadMaster, now);
  return [createWebhookDeliverer({ openSecrets, now, version: readVersion() }), createCommandDeliverer()];
}

export function startEventDeliveries(
  { control, directory, logger, now }: Pick<RunDeps, 'control' | 'directory' | 'logger' | 'now'>,
  loadMaster: () => Promise<MasterKey>,
): Deliveries {
  const owner = `${hostname()}:${process.pid}:${randomBytes(6).toString('hex')}`;
  return startDeliveries({ control, directory, logger, now, owner, deliverers: makeDeliverers(loadMaster, now) });
}
