/** `parent`: forks `child` and prints its process id; `child`: hangs in a loop once it follows its parent. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { followParentEvenHung } from '../../app/parent.js';

if (process.argv[2] === 'parent') {
  const child = fork(fileURLToPath(import.meta.url), ['child']);
  child.on('message', () => process.stdout.write(`${child.pid}\n`));
} else {
  followParentEvenHung();
  // The thread needs a moment to start, as in a process that works before it hangs.
  setTimeout(() => {
    process.send!('hanging', () => {
      for (;;);
    });
  }, 500);
}
