/** Erases a person in a data folder, and dies at a step. */
import { openWorkplace } from '../../app/compose.js';
import { settingsSchema } from '../../config/settings.js';
import { eraseUser } from '../../operations/people/erase.js';
import { dieAt } from './dieat.js';

const [data, database, email, text, step] = process.argv.slice(2);
const place = await openWorkplace(settingsSchema.parse({ data, database, databasePool: 4 }));
const onStep = dieAt(step);
await eraseUser(place, 'acme', email!, { texts: [text!], waitMs: 0, removesUnsearched: false, onStep });
process.exit(7); // the step was never reached
