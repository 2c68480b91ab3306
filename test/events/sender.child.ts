/** A process that delivers to a receiver and kills itself at a step: `settings URL step count`. */

import { createSilentLogger } from '../../config/logger.js';
import { settingsSchema } from '../../config/settings.js';
import { openControl, openDirectory } from '../../db/connection.js';
import { startDeliveries } from '../../events/delivery.js';
import { createWebhookDeliverer } from '../../events/webhook/webhook.js';

const [data, step, count] = process.argv.slice(2) as [string, string, string];
const settings = settingsSchema.parse({ data });
const control = await openControl(settings);
const directory = await openDirectory(settings);
let left = Number(count);
startDeliveries({
  ...{
    control,
    directory,
    logger: createSilentLogger(),
    now: Date.now,
    owner: String(process.pid),
    aloneWith: ['webhook'],
    everyMs: 5,
  },
  deliverers: [
    createWebhookDeliverer({
      openSecrets: async () => ['whsec_AAAA'],
      now: Date.now,
      version: '1',
      timeLimitMs: 2_000,
    }),
  ],
  onStep: (name) => {
    if (name !== step || --left > 0) return;
    process.kill(process.pid, 'SIGKILL');
    return new Promise(() => {});
  },
});
