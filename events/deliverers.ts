/** The deliverers of every kind of subscriber, for the server and for tests by an operator. */
import { readVersion } from '../config/environment.js';
import type { MasterKey } from '../keys/master/master.js';
import { createCommandDeliverer } from './command/command.js';
import type { Deliverer } from './deliverer.js';
import { createSecretReader } from './secrets.js';
import { createWebhookDeliverer } from './webhook/webhook.js';

/** One of each kind. @param loadMaster reads the master key as it is now */
export function makeDeliverers(loadMaster: () => Promise<MasterKey>, now: () => number): Deliverer[] {
  const openSecrets = createSecretReader(loadMaster, now);
  return [createWebhookDeliverer({ openSecrets, now, version: readVersion() }), createCommandDeliverer()];
}
