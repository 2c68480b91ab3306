#!/usr/bin/env node
import { reportEnding } from './exit.js';
/** The `dropslot` command. */
import { createProgram } from './program.js';

// `dropslot users list acme | head` closes the pipe early: no error, just nobody left to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = reportEnding(error, process.argv.includes('--json'), process.stderr);
}
