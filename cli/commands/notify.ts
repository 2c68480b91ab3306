/** `dropslot notify …`: mail about an organization for its people. */

import type { Command } from 'commander';
import { notificationToJson } from '../../operations/forms/subscribers.js';
import {
  enableNotification,
  kindsOfMail,
  removeNotification,
  setNotification,
  testNotification,
  usualKindsOfMail,
} from '../../operations/notify.js';
import { listNotifications, type Notification } from '../../operations/notifyaddress.js';
import { addNotification, confirmNotification, resendCode } from '../../operations/notifycode.js';
import { atWorkplace, examples } from '../command.js';
import type { ListView } from '../output.js';

const eventsText = `kinds of mail, separated by commas: ${kindsOfMail.join(', ')}`;

export function registerNotify(program: Command): void {
  const notify = program
    .command('notify')
    .summary('mail for people of an organization')
    .description('send mail about an organization to its people');
  const one = (word: string, summary: string, description: string) =>
    notify.command(word).summary(summary).description(description).argument('<org>').argument('<address>');
  one(
    'add',
    'add an address, and send it a code',
    'Adds an address that gets mail about an organization, and sends it a mail with a code. It gets no other mail until the code is confirmed.',
  )
    .option('--events <kinds>', `${eventsText} (default: ${usualKindsOfMail.join(',')})`)
    .addHelpText(
      'after',
      examples(
        'dropslot notify add acme hr@acme.test',
        'dropslot notify add acme hr@acme.test --events problems,weekly',
      ),
    )
    .action((org: string, address: string, { events }: { events?: string }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const added = await addNotification(workplace, org, address, events);
        await out.show(
          notificationToJson(added),
          `Sent ${added.address} a code. Confirm it with: dropslot notify confirm ${org} ${added.address} CODE`,
        );
      }),
    );
  one(
    'confirm',
    'confirm an address by its code',
    'Confirms an address by the code that it was sent. It gets mail from now on.',
  )
    .argument('<code...>', 'the eight digits of the mail')
    .addHelpText('after', examples('dropslot notify confirm acme hr@acme.test 1234 5678'))
    .action((org: string, address: string, code: string[], _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const confirmed = await confirmNotification(workplace, org, address, code.join(''));
        await out.show(
          notificationToJson(confirmed),
          `${confirmed.address} gets mail about ${org}: ${confirmed.events.join(', ')}.`,
        );
      }),
    );
  one('resend', 'send another code', 'Sends an address another code, in place of the first.')
    .addHelpText('after', examples('dropslot notify resend acme hr@acme.test'))
    .action((org: string, address: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const sent = await resendCode(workplace, org, address);
        await out.show(notificationToJson(sent), `Sent ${sent.address} another code.`);
      }),
    );
  one('set', 'change the kinds of mail of an address', 'Changes the kinds of mail that an address gets.')
    .requiredOption('--events <kinds>', eventsText)
    .addHelpText('after', examples('dropslot notify set acme hr@acme.test --events problems,held,weekly'))
    .action((org: string, address: string, { events }: { events: string }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const changed = await setNotification(workplace, org, address, events);
        await out.show(notificationToJson(changed), `${changed.address} gets: ${changed.events.join(', ')}.`);
      }),
    );
  one('test', 'send a test mail', 'Sends one test mail to a confirmed address, now, from this machine.')
    .addHelpText('after', examples('dropslot notify test acme hr@acme.test'))
    .action((org: string, address: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const found = await testNotification(workplace, org, address);
        await out.show({ ...notificationToJson(found), sent: true }, `Sent a test mail to ${found.address}.`);
      }),
    );
  one(
    'enable',
    'send mail again to an address that was disabled',
    'Sends mail again to an address that the server disabled because its mails failed for three days: with the events that it has not had and that are still kept. The server enables the addresses of the setting operatorMail itself, when it starts.',
  )
    .option('--from-now', 'leave out the events that it has not had')
    .addHelpText('after', examples('dropslot notify enable acme hr@acme.test'))
    .action((org: string, address: string, { fromNow = false }: { fromNow?: boolean }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const enabled = await enableNotification(workplace, org, address, fromNow);
        await out.show(notificationToJson(enabled), `${enabled.address} gets mail about ${org} again.`);
      }),
    );
  one('remove', 'remove an address', 'Removes an address: it gets no more mail.')
    .addHelpText('after', examples('dropslot notify remove acme hr@acme.test'))
    .action((org: string, address: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const removed = await removeNotification(workplace, org, address);
        await out.show(notificationToJson(removed), `${removed.address} gets no more mail about ${org}.`);
      }),
    );
  notify
    .command('list')
    .summary('list the addresses')
    .description(
      'Lists the addresses that get mail about an organization, or all, and those of operators (setting operatorMail).',
    )
    .argument('[org]', 'only the addresses of this organization')
    .addHelpText('after', examples('dropslot notify list', 'dropslot notify list acme'))
    .action((org: string | undefined, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) =>
        out.list(await listNotifications(workplace, org), notificationList),
      ),
    );
}

const notificationList: ListView<Notification> = {
  columns: [
    { title: 'ORGANIZATION', cell: ({ org }) => org ?? 'all (operator)', whole: true },
    { title: 'ADDRESS', cell: ({ address }) => address, whole: true },
    { title: 'STATE', cell: ({ state }) => state },
    { title: 'MAIL', cell: ({ events }) => events.join(', ') },
    { title: 'FAILURES', cell: ({ failures }) => String(failures), align: 'right' },
    { title: 'REASON', cell: ({ reason }) => reason ?? '' },
  ],
  empty: 'No address gets mail. Add one with "dropslot notify add ORG ADDRESS".',
  toJson: notificationToJson,
};
