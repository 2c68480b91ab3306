/** Runs commands of the program one after the other, each as a process of its own would, and prints what they wrote as JSON. */
import { readFileSync } from 'node:fs';
import { openWorkplace } from '../../app/compose.js';
import type { App } from '../../cli/app.js';
import { reportEnding } from '../../cli/exit.js';
import { loadGroups } from '../../cli/groups.js';
import { createProgram } from '../../cli/program.js';

const commands = JSON.parse(readFileSync(0, 'utf8')) as string[][];
const unused = () => {
  throw new Error('no server is started');
};
const app: App = { version: '0.0.0', serve: unused, runSubsystem: unused, openWorkplace };
const groups = await loadGroups();
const real = process.stdout.write.bind(process.stdout);
const ran: { code: number; text: string }[] = [];
for (const command of commands) {
  let text = '';
  const keep = (piece: string | Uint8Array) => {
    text += typeof piece === 'string' ? piece : Buffer.from(piece).toString();
    return true;
  };
  process.stdout.write = keep as typeof process.stdout.write;
  process.stderr.write = keep as typeof process.stderr.write;
  let code = 0;
  try {
    await createProgram(groups, app).parseAsync(command, { from: 'user' });
  } catch (error) {
    code = reportEnding(error, command.includes('--json'), process.stderr);
  }
  ran.push({ code, text });
}
process.stdout.write = real;
process.stdout.write(JSON.stringify(ran), () => process.exit(0));
