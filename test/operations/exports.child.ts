/** A process that makes an export and kills itself at a step: `settings subscriber event at step [partBytes]`. */
import { createSilentLogger } from '../../config/logger.js';
import { pathsOf } from '../../config/paths.js';
import { settingsSchema } from '../../config/settings.js';
import { openControl, openDirectory } from '../../db/connection.js';
import { findSubscriber } from '../../db/control/eventsubscribers.js';
import { findOrg } from '../../db/control/orgs.js';
import { loadMaster } from '../../keys/master/master.js';
import { type ExportStep, makeExport } from '../../operations/exports/deliverer.js';
import { dieAt } from '../crash/dieat.js';

const [data, id, event, at, step, partBytes] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  ExportStep,
  string?,
];
const settings = settingsSchema.parse({ data });
const paths = pathsOf(settings);
const control = await openControl(settings);
const directory = await openDirectory(settings);
const deps = {
  ...{ control, directory, paths, settings, logger: createSilentLogger(), now: Date.now, actor: 'system' },
  org: async (org: string) => (await findOrg(control.read, org))!,
  loadMaster: () => loadMaster(paths),
  ...(partBytes !== undefined && { partBytes: Number(partBytes) }),
  onStep: dieAt(step),
};
const subscriber = (await findSubscriber(control.read, id))!;
const outcome = await makeExport(deps, subscriber, { id: event, at: Number(at) }, new AbortController().signal);
process.stderr.write(`not killed: ${JSON.stringify(outcome)}\n`);
process.exit(1);
