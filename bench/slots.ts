/** Many organizations whose slots begin in the same minute, each with one small file, or several: how long until the last run is done. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createSilentLogger } from '../config/logger.js';
import { pathsOf } from '../config/paths.js';
import { settingsSchema } from '../config/settings.js';
import { openControl, openDirectory } from '../db/connection.js';
import { insertOrg, type Org } from '../db/control/orgs.js';
import { insertOwner } from '../db/directory/users.js';
import { createIntake } from '../intake/intake.js';
import { createKeyring } from '../keys/master/keyring.js';
import { loadMaster, loadOrCreateMaster } from '../keys/master/master.js';
import { createOrgIdentity } from '../keys/master/orgidentity.js';
import { replacing, sender } from '../test/support/intake.js';
import { sampleOrg } from '../test/support/samples.js';
import { listDescendants, readProcessorTime } from './memory.js';

const { values } = parseArgs({
  options: {
    orgs: { type: 'string', default: '2000' },
    files: { type: 'string', default: '1' },
    rows: { type: 'string', default: '1' },
    importers: { type: 'string' },
    database: { type: 'string', default: 'sqlite' },
  },
});
const orgs = Number(values.orgs);
const data = await mkdtemp(join(tmpdir(), 'dropslot-slots-'));
try {
  await prepare();
  await measure();
} finally {
  await rm(data, { recursive: true, force: true });
}

async function prepare(): Promise<void> {
  const settings = settingsSchema.parse({ data, database: values.database });
  const paths = pathsOf(settings);
  const { master } = await loadOrCreateMaster(paths);
  const control = await openControl(settings);
  const directory = await openDirectory(settings);
  const keyring = createKeyring({ loadMaster: () => loadMaster(paths), findOrg: async () => null });
  const intake = createIntake({
    control,
    paths,
    settings,
    logger: createSilentLogger(),
    now: Date.now,
    identity: keyring.open,
  });
  const started = performance.now();
  const rows = Array.from({ length: Number(values.rows) }, (_, row) => `user${row}@example.test,Ann ${row}\n`).join('');
  for (let index = 0; index < orgs; index += 50) {
    await Promise.all(
      Array.from({ length: Math.min(50, orgs - index) }, async (_, offset) => {
        const id = `org-${index + offset}`;
        const org: Org = sampleOrg(id, { ...(await createOrgIdentity(master.recipient)), slotsFrom: 0 });
        await insertOrg(control.write, org);
        await insertOwner(directory.write, {
          org: id,
          email: org.ownerEmail,
          emailKey: org.ownerEmail,
          at: Date.now(),
        });
        const upload = async (file: number) => {
          const open = await intake.forSender(org, sender).begin(`/users-${file}.csv`, replacing);
          await open.write(0, Buffer.from(`User Email,User Name\n${rows.replaceAll('user', `file${file}.user`)}`));
          await open.finish();
        };
        // Side by side: the audit trail lets one organization write at a bounded rate.
        const count = Number(values.files);
        for (let file = 0; file < count; file += 50)
          await Promise.all(Array.from({ length: Math.min(50, count - file) }, (_, place) => upload(file + place)));
      }),
    );
  }
  await control.write('uploads').update({ checked_at: Date.now() }); // measures the slots, not the early checks
  await control.close();
  await directory.close();
  console.log(`prepared ${orgs} organizations in ${seconds(started)} s`);
}

async function measure(): Promise<void> {
  const settings = settingsSchema.parse({ data, database: values.database });
  const control = await openControl(settings);
  const program = new URL('../dist/app/main.js', import.meta.url).pathname;
  const more = values.importers === undefined ? {} : { DROPSLOT_IMPORTERS: values.importers };
  const server = spawn(process.execPath, [program, 'serve', '--port', '0', '--host', '127.0.0.1'], {
    env: {
      ...process.env,
      DROPSLOT_DATA: data,
      DROPSLOT_DATABASE: values.database,
      DROPSLOT_LOG_FORMAT: 'json',
      DROPSLOT_LOG_LEVEL: 'warn',
      ...more,
    },
    stdio: 'inherit',
  });
  let first: number | null = null;
  for (;;) {
    const [{ n }] = (await control.read('runs').where({ state: 'done' }).count({ n: '*' })) as unknown as [
      { n: number },
    ];
    if (first === null && Number((await control.read('runs').count({ n: '*' }))[0]!.n) > 0) first = performance.now();
    if (Number(n) === orgs) break;
    if (server.exitCode !== null) throw new Error('the server ended');
    await sleep(200);
  }
  console.log(
    `${orgs} runs in ${seconds(first!)} s, ${(orgs / ((performance.now() - first!) / 1000)).toFixed(1)} a second`,
  );
  tellProcessorTime(server.pid!);
  server.kill('SIGTERM');
  await once(server, 'exit');
  await control.close();
}

/** Of the server and its processes, from their start on. */
function tellProcessorTime(server: number): void {
  const each = [server, ...listDescendants(server)].map((pid) => readProcessorTime(pid) ?? 0);
  const total = each.reduce((sum, time) => sum + time, 0);
  console.log(
    `processor time: ${total.toFixed(1)} s, ${((1000 * total) / orgs).toFixed(1)} ms a run; each process: ${each.map((time) => time.toFixed(1)).join(', ')}`,
  );
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}
