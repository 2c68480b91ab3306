/** A worker that says how many host keys it got after its start, and hangs at its first connection. */
import type { ToWorker } from '../../app/workermessages.js';

process.on('message', (message: ToWorker) => {
  if (message.type === 'start') process.send!({ type: 'ready' });
  if (message.type === 'hostKeys') process.send!({ type: 'total', bytes: message.keys.length });
  if (message.type === 'connection') for (;;);
});
