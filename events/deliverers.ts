/** The deliverers of every kind of subscriber, for the server and for tests by an operator. */
import { readVersion } from '../config/environment.js';
import type { MasterKey } from '../keys/master/master.js';
import { createCommandDeliverer } from './command/command.js';
import type { Deliverer } from './deliverer.js';
import { createMailService, type MailServiceDeps } from './mail/service.js';
import { createSecretReader } from './secrets.js';
import { createWebhookDeliverer } from './webhook/webhook.js';

export interface DelivererDeps extends MailServiceDeps {
  /** Reads the master key as it is now. */
  loadMaster(): Promise<MasterKey>;
}

/** One of each kind. */
export function makeDeliverers({ loadMaster, now, ...mail }: DelivererDeps): Deliverer[] {
  const openSecrets = createSecretReader(loadMaster, now);
  return [
    createWebhookDeliverer({ openSecrets, now, version: readVersion() }),
    createCommandDeliverer(),
    createMailService({ ...mail, now }),
  ];
}
