#!/usr/bin/env node
import { reportEnding } from './exit.js';
/** The `dropslot` command. */
import { createProgram, type Group } from './program.js';

try {
  await createProgram(await loadGroups()).parseAsync();
} catch (error) {
  process.exitCode = reportEnding(error, process.argv.includes('--json'), process.stderr);
}

/** An sshd starts a process for each of its sessions: that one command is loaded without the others. */
async function loadGroups(): Promise<readonly Group[]> {
  if (commandIn(process.argv.slice(2)) === 'sftp-server')
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
