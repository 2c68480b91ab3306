/** The commands of the program, as its groups make them. */
import type { Command } from 'commander';
import { loadGroups } from '../../cli/groups.js';
import { createProgram } from '../../cli/program.js';

export interface Leaf {
  words: string[];
  command: Command;
}

/** The whole program; no command of it can be carried out. */
export async function createWholeProgram(): Promise<Command> {
  const unused = () => {
    throw new Error('not called');
  };
  return createProgram(await loadGroups(), {
    ...{ version: '0.0.0', serve: unused, runSubsystem: unused, openWorkplace: unused },
  });
}

/** The commands without commands below them; the help of a group is none. */
export function leavesOf(command: Command, words: string[] = []): Leaf[] {
  const below = command.commands.filter((one) => words.length === 0 || one.name() !== 'help');
  if (below.length === 0) return [{ words, command }];
  return below.flatMap((one) => leavesOf(one, [...words, one.name()]));
}
