/** `dropslot completion`: the completion script of a shell. */
import { Argument, type Command } from 'commander';
import { examples } from '../command.js';
import { renderCompletion, type Shell, shells } from '../completion.js';
import type { Group } from '../program.js';

/** @param loadOthers the groups of all other commands */
export function registerCompletion(program: Command, loadOthers: () => Promise<Group[]>): void {
  program
    .command('completion')
    .summary('print a completion script for your shell')
    .description('Prints a script that completes the commands and options of dropslot in bash, zsh or fish.')
    .addArgument(new Argument('<shell>').choices(shells))
    .addHelpText('after', examples('source <(dropslot completion bash)', 'dropslot completion fish | source'))
    .action(async (shell: Shell) => {
      for (const register of await loadOthers()) register(program);
      process.stdout.write(renderCompletion(shell, program));
    });
}
