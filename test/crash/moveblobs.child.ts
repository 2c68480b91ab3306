/** A process that moves the sealed files and kills itself at a step: `settings to step`, the settings as JSON. */
import { openWorkplace } from '../../app/compose.js';
import { settingsSchema } from '../../config/settings.js';
import { moveBlobs } from '../../operations/move/blobs.js';
import { dieAt } from './dieat.js';

const [given, to, step] = process.argv.slice(2) as [string, string, string];
const place = await openWorkplace(settingsSchema.parse(JSON.parse(given)), { evenMoved: true });
await moveBlobs(place, to, {
  onProgress: () => {},
  onStep: dieAt(step),
});
process.stderr.write('not killed\n');
process.exit(1);
