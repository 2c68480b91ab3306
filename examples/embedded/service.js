// @ts-check
/** A service with a users table of its own: Dropslot runs inside it, and events keep the table in step. */
import { join } from 'node:path';
import { createDropslot } from 'dropslot';
import { openUsers } from './users.js';

const folder = process.argv[2] ?? './service-data';
const port = Number(process.argv[3] ?? 2222);

const users = await openUsers(join(folder, 'users.db'));

const dropslot = createDropslot({
  settings: { data: join(folder, 'dropslot'), host: '127.0.0.1', port },
  // A file of the customer that calls its column `Mail`, as its HR system does.
  importHooks: {
    version: '1',
    mapRow({ Mail, ...row }) {
      return Mail === undefined ? row : { 'User Email': Mail, ...row };
    },
  },
  logger: {
    error: (message, details) => console.error(message, details),
    warn: (message, details) => console.error(message, details),
    info: () => {},
  },
});

// The name is that of the place in the stream of events: at the next start the service goes on there.
dropslot.on('user.*', (event) => users.apply(event), { name: 'users-table', personal: true });

for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, stop);

const { listeners } = await dropslot.start();
console.log(`SFTP on port ${listeners[0]?.port}`);

async function stop() {
  await dropslot.stop();
  await users.close();
}
