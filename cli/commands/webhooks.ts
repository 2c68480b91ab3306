/** `dropslot webhooks …`: signed HTTPS requests with the events. */
import type { Command } from 'commander';
import { OperationError } from '../../operations/error.js';
import { webhookKind } from '../../operations/subscribers.js';
import { addWebhook, type NewWebhook, rotateSecret } from '../../operations/webhooks.js';
import { atWorkplace, examples } from '../command.js';
import { registerCommon, withCommonOptions } from './subscribers.js';

const hourMs = 3_600_000;
const mostHours = 24 * 30;

export function registerWebhooks(program: Command): void {
  const group = program
    .command('webhooks')
    .summary('send events to other programs by HTTPS')
    .description('send events to other programs as signed HTTPS requests');
  withCommonOptions(
    group
      .command('add')
      .summary('add a webhook')
      .description(
        'Adds a webhook: the server sends the events from now on to the URL, as POST requests that are signed after the Standard Webhooks specification. Prints the secret once; the receiver checks the signatures with it.',
      )
      .requiredOption('--url <url>', 'the https URL of the receiver'),
  )
    .option('--allow-http', 'accept http:// for this webhook')
    .option('--allow-private', 'accept private, loopback and link-local addresses for this webhook')
    .addHelpText(
      'after',
      examples(
        'dropslot webhooks add --url https://hr.example/hooks/dropslot',
        "dropslot webhooks add --org acme --url https://hr.example/hooks --types 'run.*,user.*' --include personal",
      ),
    )
    .action((options: NewWebhook, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const added = await addWebhook(workplace, options);
        await out.show(
          added,
          `Added the webhook ${added.id}. Its secret, which is not shown again:\n${added.secret}\nTry it with: dropslot webhooks test ${added.id}`,
        );
      }),
    );
  registerCommon(group, webhookKind);
  group
    .command('rotate-secret')
    .summary('give a webhook a new secret')
    .description(
      'Gives a webhook a new secret and prints it once. With --keep-old the requests carry signatures of both secrets for a time, so that the receiver can change over without a gap.',
    )
    .argument('<id>', 'id of the webhook')
    .option('--keep-old <hours>', 'sign with the old secret too for so many hours (default: 0)', readHours)
    .addHelpText('after', examples('dropslot webhooks rotate-secret sub_1a2b3c4d5e6f7081 --keep-old 24'))
    .action((id: string, { keepOld = 0 }: { keepOld?: number }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const { secret } = await rotateSecret(workplace, id, keepOld * hourMs);
        await out.show({ id, secret }, `The new secret of ${id}, which is not shown again:\n${secret}`);
      }),
    );
}

function readHours(text: string): number {
  if (!/^\d{1,3}$/.test(text) || Number(text) > mostHours)
    throw new OperationError('usage', `--keep-old takes a number of hours up to ${mostHours}, not "${text}"`);
  return Number(text);
}
