/** Seals or unseals the directory of a data folder, and dies at the named step, as if the power had failed there. */
import { openWorkplace } from '../../app/compose.js';
import { settingsSchema } from '../../config/settings.js';
import { sealDirectory, unsealDirectory } from '../../operations/directoryseal.js';
import { dieAt } from './dieat.js';

const [data, what, step] = process.argv.slice(2);
const place = await openWorkplace(settingsSchema.parse({ data }), { withoutDirectory: true });
const convert = what === 'seal' ? sealDirectory : unsealDirectory;
await convert(place, dieAt(step));
process.exit(7); // the step was never reached
