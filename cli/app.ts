/** What the command line is given by whoever wires the rooms: the processes that commands start, and the workplace they open. */
import { Command } from 'commander';
import type { Settings } from '../config/settings.js';
import type { OpenWorkplace } from '../operations/workplace.js';

export interface App {
  /** Serves until SIGTERM or SIGINT. @throws when it can't start */
  serve(settings: Settings): Promise<void>;
  /** One session on standard input and output; gives the exit code of its process. */
  runSubsystem(settings: Settings, request: SubsystemRequest): Promise<number>;
  openWorkplace: OpenWorkplace;
}

/** What an sshd, or whoever runs `dropslot sftp-server`, asks for. */
export interface SubsystemRequest {
  org: string;
  readOnly: boolean;
  /** Where to log: stderr, syslog or a file; null: syslog under an sshd, else standard error. */
  log: string | null;
}

/** The command at the root, which knows the app. */
export class Program extends Command {
  constructor(readonly app: App) {
    super();
  }
}

/** The app of the program that a command belongs to. */
export function appOf(command: Command): App {
  let root = command;
  while (root.parent !== null) root = root.parent;
  if (!(root instanceof Program)) throw new Error(`${command.name()} belongs to no program`);
  return root.app;
}
