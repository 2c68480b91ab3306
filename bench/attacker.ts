/** Attackers in a process of their own: KIND and the target as JSON; SIGTERM ends it, and it says what it did. */
import { constants, setPriority } from 'node:os';
import { type AttackKind, attack, type Target } from './attackers.js';

const [kind, target] = process.argv.slice(2);
// On one machine they must not simply win the processors: real ones have their own.
setPriority(constants.priority.PRIORITY_LOW);
const running = attack(kind as AttackKind, JSON.parse(target!) as Target);
process.once('SIGTERM', async () => {
  process.stdout.write(`${JSON.stringify(await running.stop())}\n`);
  process.exit(0);
});
