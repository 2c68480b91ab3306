/** The functions that `app/` passes to the command line: they start the processes, and open the workplace of a command. */
import { Command, CommanderError, type ErrorOptions } from 'commander';
import type { Settings, SettingsChoice } from '../operations/settings.js';
import type { OpenWorkplace } from '../operations/workplace.js';
import type { TerminalForm } from './color.js';
import { describeUse, pathOf } from './help.js';

export interface App {
  /** Of this Dropslot, as package.json has it. */
  readonly version: string;
  /** The build and the Node.js that runs it, for `--version`. */
  readonly build?: string;
  /** Serves until SIGTERM or SIGINT. @throws when it can't start */
  serve(settings: Settings, choice: SettingsChoice): Promise<void>;
  /** Serves one session on standard input and output; gives the exit code of its process. */
  runSubsystem(settings: Settings, request: SubsystemRequest): Promise<number>;
  openWorkplace: OpenWorkplace;
  /** The texts that settings had from descriptors, each of which can be read once: a command may read its settings again. */
  readonly descriptors?: Map<string, string>;
  /** Absent: output has neither colours nor lines that are written over. */
  readonly terminal?: TerminalForm;
}

/** The options of `dropslot sftp-server`. */
export interface SubsystemRequest {
  org: string;
  readOnly: boolean;
  /** Where to log: `stderr`, `syslog` or a file; null: syslog under an sshd, else standard error. */
  log: string | null;
}

/** The command at the root, which knows the app. */
export class Program extends Command {
  constructor(readonly app: App) {
    super();
  }

  override createCommand(name: string): Command {
    return new Subcommand(name);
  }
}

/** Errors after which a right call helps; the nearest option or command helps after others. */
const callErrors: ReadonlySet<string> = new Set([
  'commander.missingArgument',
  'commander.missingMandatoryOptionValue',
  'commander.optionMissingArgument',
  'commander.excessArguments',
]);

/** A command below the root: a wrong call says how to call it. */
class Subcommand extends Command {
  override createCommand(name: string): Command {
    return new Subcommand(name);
  }

  override error(message: string, options?: ErrorOptions): never {
    try {
      super.error(message, options);
    } catch (error) {
      if (!(error instanceof CommanderError)) throw error;
      if (error.code === 'commander.unknownCommand') {
        const [program, ...group] = pathOf(this);
        throw new UsageError(error, `"${program} help ${group.join(' ')}" lists its commands`);
      }
      throw callErrors.has(error.code) ? new UsageError(error, describeUse(this)) : error;
    }
  }
}

/** A wrong call, with the usage and an example of a right one. */
export class UsageError extends CommanderError {
  constructor(
    { exitCode, code, message }: CommanderError,
    readonly use: string | null,
  ) {
    super(exitCode, code, message);
  }
}

/** The app of the program that a command belongs to. */
export function appOf(command: Command): App {
  let root = command;
  while (root.parent !== null) root = root.parent;
  if (!(root instanceof Program)) throw new Error(`${command.name()} belongs to no program`);
  return root.app;
}
