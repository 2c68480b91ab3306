/**
 * The built importer's process, whose thread stands still for ever at the next planned run when the file CRASH_HANG exists: once for
 * each upload, since a file that does so twice is refused.
 */
import { closeSync, openSync, rmSync } from 'node:fs';
import { obeyServer } from '../../dist/app/importermain.js';

const token = process.env.CRASH_HANG;
const server = process.ppid;
let reading = null;
const send = process.send.bind(process);
process.send = (message, ...rest) => {
  if (message.type === 'alive') reading = message.state.upload;
  return send(message, ...rest);
};

obeyServer((step) => {
  if (step !== 'planned' || reading === null || !take()) return;
  process.stderr.write(`{"level":"info","message":"hangs","upload":${reading}}\n`);
  // A killed server can't end it any more.
  while (process.ppid === server);
  process.exit(1);
});

function take() {
  try {
    rmSync(token);
    closeSync(openSync(`${token}-${reading}`, 'wx'));
    return true;
  } catch {
    return false;
  }
}
