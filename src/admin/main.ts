#!/usr/bin/env node
/** The `dropslot` command. */
import { reportEnding } from './exit.js';
import { createProgram, type Group } from './program.js';

/** An sshd starts processes for each of its sessions: these commands are loaded without the others. */
const sshdCommands: readonly (string | undefined)[] = ['sftp-server', 'authorized-keys'];

try {
  await createProgram(await loadGroups()).parseAsync();
} catch (error) {
  process.exitCode = reportEnding(error, process.argv.includes('--json'), process.stderr);
}

async function loadGroups(): Promise<readonly Group[]> {
  if (sshdCommands.includes(commandIn(process.argv.slice(2))))
    return [(await import('./commands/subsystem.js')).registerSubsystem];
  // `dropslot users list acme | head` closes the pipe early: no error, just nobody left to tell.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  return (await import('./groups.js')).groups;
}

/** The first word that is no global option. */
function commandIn([word, ...rest]: readonly string[]): string | undefined {
  if (word === '--json' || /^--(config|data)=/.test(word ?? '')) return commandIn(rest);
  return word === '--config' || word === '--data' ? commandIn(rest.slice(1)) : word;
}
