/** Runs one round of a source of a data folder, and dies when a step is reached. */
import { openWorkplace } from '../../app/compose.js';
import { createSilentLogger } from '../../config/logger.js';
import { settingsSchema } from '../../config/settings.js';
import { workDepsOf } from '../../operations/doors.js';
import { workOn } from '../../sources/work.js';
import { dieAt } from './dieat.js';

const [data, id, step] = process.argv.slice(2);
const place = await openWorkplace(settingsSchema.parse({ data, sourceSettleSeconds: 0 }));
const onStep = dieAt(step);
await workOn({ ...workDepsOf(place, createSilentLogger()), onStep }, Number(id), new AbortController().signal);
process.exit(7); // the step was never reached
