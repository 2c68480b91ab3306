/** Works on the waiting run of a data folder and dies at the named step, as if the power had failed there. */
import { createSilentLogger } from '../../config/logger.js';
import { pathsOf } from '../../config/paths.js';
import { settingsSchema } from '../../config/settings.js';
import { openControl, openDirectory } from '../../db/connection.js';
import { workNext } from '../../importer/run/worker.js';
import { loadMaster } from '../../keys/master/master.js';
import { openOrgIdentity } from '../../keys/master/orgidentity.js';
import { dieAt } from './dieat.js';

const [data, database, step, clock] = process.argv.slice(2);
const settings = settingsSchema.parse({ data, database, databasePool: 4 });
const paths = pathsOf(settings);
const master = await loadMaster(paths);
await workNext({
  settings,
  paths,
  control: await openControl(settings),
  directory: await openDirectory(settings),
  identity: (org) => openOrgIdentity(master, org),
  logger: createSilentLogger(),
  now: () => Number(clock),
  owner: `child-${process.pid}`,
  isStopping: () => false,
  onStep: dieAt(step),
});
process.exit(7); // the step was never reached
