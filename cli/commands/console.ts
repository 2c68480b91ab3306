/** `dropslot console …`: people who may sign in to the web console. */
import type { Command } from 'commander';
import { consoleAddress, invitationLink } from '../../operations/accounts/link.js';
import { changeRole, inviteAccount, listPeople, removePerson } from '../../operations/accounts/people.js';
import { orgRoles, serverRoles } from '../../operations/accounts/rights.js';
import { formatTime } from '../../operations/format.js';
import { accountToJson } from '../../operations/forms/accounts.js';
import { atWorkplace, examples } from '../command.js';
import { accountList } from '../views/accounts.js';
import { registerProviders } from './providers.js';

export function registerConsole(program: Command): void {
  const group = program
    .command('console')
    .summary('people of the web console')
    .description('invite, list and remove people of the web console, and set where they sign in');
  group
    .command('invite')
    .summary('invite a person, or give one a new invitation')
    .description(
      `Adds a person of the web console and prints a link, once. With it the person sets a password and an authenticator app
within three days. For a person who has an account already the link replaces the password, the app and the recovery codes.
Roles of the server: owner (everything), operator (all organizations), read-only, auditor (the audit trail alone).
Roles of one organization: admin (decides about imports, keys and members), viewer.`,
    )
    .argument('<email>')
    .requiredOption('--role <role>', `${serverRoles.join(', ')}; with --org: ${orgRoles.join(', ')}`)
    .option('--org <org>', 'the organization of the role')
    .addHelpText(
      'after',
      examples(
        'dropslot console invite jane@operator.example --role owner',
        'dropslot console invite hr@acme.example --role admin --org acme',
      ),
    )
    .action((email: string, options: { role: string; org?: string }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        consoleAddress(workplace.settings);
        const { account, code, expiresAt } = await inviteAccount(workplace, { email, ...options });
        const link = invitationLink(workplace.settings, code);
        await out.show(
          { ...accountToJson(account), link, expiresAt: new Date(expiresAt).toISOString() },
          `Invited ${account.email} as ${account.role}. The link works once, until ${formatTime(expiresAt)}:\n${link}`,
        );
      }),
    );
  group
    .command('people')
    .summary('list who may sign in')
    .description('Lists the accounts of the web console with their roles and last sign-in.')
    .option('--org <org>', 'only those of this organization')
    .addHelpText('after', examples('dropslot console people', 'dropslot console people --org acme'))
    .action(({ org }: { org?: string }, command: Command) =>
      atWorkplace(command, async (workplace, out) => out.list(await listPeople(workplace, org), accountList)),
    );
  group
    .command('role')
    .summary('change the role of a person')
    .description("Changes a person's role; it applies from the next request.")
    .argument('<email>')
    .argument('<role>')
    .addHelpText('after', examples('dropslot console role hr@acme.example viewer'))
    .action((email: string, role: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const account = await changeRole(workplace, email, role);
        await out.show(accountToJson(account), `${account.email} is ${account.role} now.`);
      }),
    );
  group
    .command('remove')
    .summary('remove a person')
    .description('Removes an account of the web console; its sessions end at once.')
    .argument('<email>')
    .addHelpText('after', examples('dropslot console remove hr@acme.example'))
    .action((email: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const account = await removePerson(workplace, email);
        await out.show(accountToJson(account), `Removed ${account.email}; the account's sessions have ended.`);
      }),
    );
  registerProviders(group);
}
