/** Runs the command of `process.argv`: connects the command line to the processes and the workplace. */
import type { App } from '../cli/app.js';
import { reportEnding } from '../cli/exit.js';
import { loadGroups } from '../cli/groups.js';
import { createProgram } from '../cli/program.js';
import { readTerminalVariables } from '../config/environment.js';
import { keepSecrets } from './knownsecrets.js';

/** Each part is loaded only when it is needed: a short command need not wait for the server, nor a client of an sshd for either. */
const parts = {
  serve: async (settings, choice) => (await import('./serve.js')).serve(settings, {}, choice),
  runSubsystem: async (settings, request) => (await import('./subsystem.js')).runSubsystem(settings, request),
  openWorkplace: keepSecrets(async (settings, options) =>
    (await import('./compose.js')).openWorkplace(settings, options),
  ),
  descriptors: new Map(),
  terminal: readTerminalVariables(),
} satisfies Omit<App, 'version' | 'build'>;

/** Commands that an sshd runs: they write for the sshd, and must notice when it ends. */
const sshdCommands: readonly (string | undefined)[] = ['sftp-server', 'authorized-keys'];

/** Sets the exit code. */
export async function runCommand(release: Pick<App, 'version' | 'build'>): Promise<void> {
  try {
    const command = commandIn(process.argv.slice(2));
    const groups = await loadGroups(command);
    if (!sshdCommands.includes(command)) endWithReader();
    await createProgram(groups, { ...parts, ...release }).parseAsync();
  } catch (error) {
    process.exitCode = reportEnding(error, process.argv.includes('--json'), process.stderr, parts.terminal);
  }
}

/** `dropslot users list acme | head` closes the pipe early: that is no error. */
function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

/** The first word that is no global option. */
function commandIn([word, ...rest]: readonly string[]): string | undefined {
  if (word === '--json' || word === '--wide' || /^--(config|data)=/.test(word ?? '')) return commandIn(rest);
  return word === '--config' || word === '--data' ? commandIn(rest.slice(1)) : word;
}
