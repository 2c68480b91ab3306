/** The commands that every kind of subscriber has: list, show, test, disable, enable, remove, deliveries, resend. */

import type { Command } from 'commander';
import { OperationError } from '../../operations/error.js';
import { subscriberToJson } from '../../operations/forms/subscribers.js';
import {
  disable,
  enable,
  getSubscriber,
  listAttempts,
  listOfKind,
  removeSubscriber,
  resend,
  type SubscriberKind,
  testSubscriber,
} from '../../operations/subscribers.js';
import { atControl, atWorkplace, examples } from '../command.js';
import { deliveryList, renderSubscriber, subscriberList } from '../views/subscribers.js';

/** 1 to 1,000. @throws OperationError `usage` */
export function readBatch(text: string): number {
  if (!/^\d{1,4}$/.test(text) || Number(text) < 1 || Number(text) > 1000)
    throw new OperationError('usage', `--batch takes a number from 1 to 1000, not "${text}"`);
  return Number(text);
}

/** The options of `add` that every kind has. */
export function withCommonOptions(command: Command): Command {
  return command
    .option('--org <org>', 'events of this organization only (default: all, and those of the server)')
    .option('--types <types>', 'types of events, separated by commas: *, run.*, run.held (default: *)')
    .option('--include <data>', '"personal": also names, addresses and values')
    .option('--batch <n>', 'most events of users, teams and fields in one delivery (default: 100)', readBatch)
    .option('--description <text>', 'a text for lists');
}

export function registerCommon(group: Command, of: SubscriberKind): void {
  registerState(group, of);
  registerTest(group, of);
  registerResend(group, of);
}

/** list, show, disable, enable, remove, deliveries. @param how to add one, for an empty list */
export function registerState(group: Command, of: SubscriberKind, how?: string): void {
  const { noun, group: name } = of;
  const one = commandOfOne(group, of);
  group
    .command('list')
    .summary(`list the ${noun}s`)
    .description(`Lists the ${noun}s, with the state of each.`)
    .addHelpText('after', examples(`dropslot ${name} list`))
    .action((_options, command: Command) =>
      atControl(command, async (workplace, out) => out.list(await listOfKind(workplace, of), subscriberList(of, how))),
    );
  one('show', `show ${aNoun(noun)}`, `Shows ${aNoun(noun)}, its state and its failures.`)
    .addHelpText('after', examples(`dropslot ${name} show sub_1a2b3c4d5e6f7081`))
    .action((id: string, _options, command: Command) =>
      atControl(command, async (workplace, out) => {
        const subscriber = await getSubscriber(workplace, of, id);
        await out.show(subscriberToJson(subscriber), renderSubscriber(subscriber));
      }),
    );
  one(
    'disable',
    `stop the deliveries to ${aNoun(noun)}`,
    `Stops the deliveries to ${aNoun(noun)}. Its events are kept as long as the setting eventDays says.`,
  )
    .addHelpText('after', examples(`dropslot ${name} disable sub_1a2b3c4d5e6f7081`))
    .action((id: string, _options, command: Command) =>
      atControl(command, async (workplace, out) => {
        await disable(workplace, of, id);
        await out.show({ id, state: 'disabled' }, `Disabled ${id}.`);
      }),
    );
  one(
    'enable',
    `begin the deliveries to ${aNoun(noun)} again`,
    `Begins the deliveries to ${aNoun(noun)} again, with the events that it has not had and that are still kept.`,
  )
    .option('--from-now', 'leave out the events that it has not had')
    .addHelpText('after', examples(`dropslot ${name} enable sub_1a2b3c4d5e6f7081`))
    .action((id: string, { fromNow = false }: { fromNow?: boolean }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        await enable(workplace, of, id, fromNow);
        await out.show({ id, state: 'enabled' }, `Enabled ${id}.`);
      }),
    );
  one('remove', `remove ${aNoun(noun)}`, `Removes ${aNoun(noun)} and its log of deliveries.`)
    .addHelpText('after', examples(`dropslot ${name} remove sub_1a2b3c4d5e6f7081`))
    .action((id: string, _options, command: Command) =>
      atControl(command, async (workplace, out) => {
        await removeSubscriber(workplace, of, id);
        await out.show({ id, removed: true }, `Removed ${id}.`);
      }),
    );
  one(
    'deliveries',
    'list the last deliveries',
    `Lists the last attempts of deliveries to ${aNoun(noun)}, the newest first. Answers and outputs are not kept.`,
  )
    .addHelpText('after', examples(`dropslot ${name} deliveries sub_1a2b3c4d5e6f7081`))
    .action((id: string, _options, command: Command) =>
      atControl(command, async (workplace, out) => out.list(await listAttempts(workplace, of, id), deliveryList)),
    );
}

function registerTest(group: Command, of: SubscriberKind): void {
  const { noun, group: name } = of;
  const one = commandOfOne(group, of);
  one(
    'test',
    `send a test event to ${aNoun(noun)}`,
    `Sends one event of the type webhook.test to the ${noun} from this machine, now and once, also if it is disabled.`,
  )
    .addHelpText('after', examples(`dropslot ${name} test sub_1a2b3c4d5e6f7081`))
    .action((id: string, _options, command: Command) =>
      atControl(command, async (workplace, out) => {
        const { result, detail } = await testSubscriber(workplace, of, id);
        const isDelivered = result === 'delivered';
        await out.show(
          { id, delivered: isDelivered, detail },
          `${isDelivered ? 'Delivered' : 'Not delivered'}: ${detail}.`,
        );
        if (!isDelivered) throw new OperationError('failed', `the test event was not delivered: ${detail}`);
      }),
    );
}

export function registerResend(group: Command, of: SubscriberKind): void {
  const { group: name } = of;
  const one = commandOfOne(group, of);
  one(
    'resend',
    'deliver an event again',
    'Delivers one event again, with the same id. The running server does it within seconds, before newer events.',
  )
    .argument('<event>', 'id of the event, as "dropslot events list" shows it')
    .addHelpText('after', examples(`dropslot ${name} resend sub_1a2b3c4d5e6f7081 evt_0123456789abcdef0123456789`))
    .action((id: string, event: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        await resend(workplace, of, id, event);
        await out.show({ id, event, resent: true }, `The server delivers ${event} to ${id} again.`);
      }),
    );
}

/** Begins a command that takes the id of one. */
export function commandOfOne(group: Command, { noun, group: name }: SubscriberKind) {
  return (word: string, summary: string, description: string): Command =>
    group
      .command(word)
      .summary(summary)
      .description(description)
      .argument('<id>', `id of the ${noun}, as "dropslot ${name} list" shows it`);
}

function aNoun(noun: string): string {
  return /^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`;
}
