/** Rotates an identity, or the master key, of a data folder, and dies when a step is reached for the so-manyth time. */
import { openWorkplace } from '../../app/compose.js';
import { settingsSchema } from '../../config/settings.js';
import { rotateIdentity } from '../../operations/identityrotation.js';
import { rotateMaster } from '../../operations/masterkey.js';

const [data, database, recipientType, what, step, count] = process.argv.slice(2);
const place = await openWorkplace(settingsSchema.parse({ data, database, recipientType, databasePool: 4 }));
let left = Number(count);
const onStep = (reached: string) => {
  if (reached === step && --left === 0) process.kill(process.pid, 'SIGKILL');
};
if (what === 'master') await rotateMaster(place, onStep);
else await rotateIdentity(place, 'acme', { waitMs: 0, batchFiles: 2, onStep });
process.exit(7); // the step was never reached
