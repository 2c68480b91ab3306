/** Backs a data folder up, or restores a backup, and is killed at a step: `backup|restore FROM TO STEP [DATABASE PG_DUMP]`. */
import { openWorkplace } from '../../app/compose.js';
import { settingsSchema } from '../../config/settings.js';
import { type Advance, describeAdvance } from '../../operations/advance.js';
import { backUp } from '../../operations/backup/backup.js';
import { restore } from '../../operations/backup/restore.js';

const [what, from, to, step, database = 'sqlite', pgDump = 'pg_dump'] = process.argv.slice(2) as string[];
const onProgress = (news: string | Advance) => void process.stdout.write(`${describeAdvance(news)}\n`);
const onStep = (reached: string) => {
  if (reached !== step) return;
  process.kill(process.pid, 'SIGKILL');
  for (;;); // the signal ends it before anything else happens
};
if (what === 'backup') {
  const place = await openWorkplace(settingsSchema.parse({ data: from, database }));
  await backUp(place, to!, { includeKeys: false, pgDump, onProgress, onStep });
} else {
  const overrides = { data: to, database, pgDump };
  await restore({ file: undefined, overrides }, openWorkplace, from!, { onProgress, onStep });
}
process.exit(7); // the step was never reached
