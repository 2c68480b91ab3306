/** `dropslot handlers …`: the functions that get events in a program which embeds Dropslot. */
import type { Command } from 'commander';
import { handlerKind } from '../../operations/subscribers.js';
import { registerResend, registerState } from './subscribers.js';

export function registerHandlers(program: Command): void {
  const group = program
    .command('handlers')
    .summary('functions of an embedding program')
    .description('functions of a program that embeds Dropslot, which get events');
  registerState(group, handlerKind, 'a program that embeds Dropslot adds its own');
  registerResend(group, handlerKind);
}
