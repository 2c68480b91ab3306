/** A process that moves an installation and kills itself at a step: `data database to step`. */
import { openWorkplace } from '../../app/compose.js';
import { settingsSchema } from '../../config/settings.js';
import { moveDatabases } from '../../operations/move/move.js';
import { readDestination } from '../../operations/move/target.js';
import { dieAt } from './dieat.js';

const [data, database, to, step] = process.argv.slice(2) as [string, string, string, string];
const settings = settingsSchema.parse({ data, database });
const place = await openWorkplace(settings, { evenMoved: true });
await moveDatabases(place, readDestination(to, settings), {
  isVolumeEncrypted: false,
  onProgress: () => {},
  onStep: dieAt(step),
});
process.stderr.write('not killed\n');
process.exit(1);
