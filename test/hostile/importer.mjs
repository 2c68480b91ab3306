/**
 * The built importer's process, in which the file whose upload id HOSTILE_UPLOAD names keeps the thread busy for ever, or with
 * HOSTILE_KIND=memory takes memory without end.
 */
import { obeyServer } from '../../dist/app/importermain.js';

const hostile = Number(process.env.HOSTILE_UPLOAD);
let reading = null;
const send = process.send.bind(process);
process.send = (message, ...rest) => {
  if (message.type === 'alive') reading = message.state.upload;
  return send(message, ...rest);
};

obeyServer((step) => {
  if (step !== 'planned' || reading !== hostile) return;
  process.stderr.write('{"level":"info","message":"hangs"}\n');
  const kept = [];
  for (;;) if (process.env.HOSTILE_KIND === 'memory') kept.push(new Array(10_000).fill(hostile));
});
