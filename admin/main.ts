#!/usr/bin/env node
/** The `dropslot` command. */
import { reportEnding } from './exit.js';
import { loadGroups } from './groups.js';
import { createProgram } from './program.js';

/** An sshd starts processes for each of its sessions; what they write is for an sshd, which they must see go. */
const sshdCommands: readonly (string | undefined)[] = ['sftp-server', 'authorized-keys'];

try {
  const command = commandIn(process.argv.slice(2));
  const groups = await loadGroups(command);
  if (!sshdCommands.includes(command)) endWithReader();
  await createProgram(groups).parseAsync();
} catch (error) {
  process.exitCode = reportEnding(error, process.argv.includes('--json'), process.stderr);
}

/** `dropslot users list acme | head` closes the pipe early: no error, just nobody left to tell. */
function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

/** The first word that is no global option. */
function commandIn([word, ...rest]: readonly string[]): string | undefined {
  if (word === '--json' || /^--(config|data)=/.test(word ?? '')) return commandIn(rest);
  return word === '--config' || word === '--data' ? commandIn(rest.slice(1)) : word;
}
