/** `dropslot console providers`, `console set-provider` and others: the identity providers (OpenID Connect) at which people of the web console sign in. */
import { type Command, Option } from 'commander';
import {
  listProviders,
  type ProviderChange,
  removeProvider,
  type ShownProvider,
  setProvider,
  showProvider,
} from '../../operations/accounts/orgprovider.js';
import { addressesOf, providerToJson } from '../../operations/forms/accounts.js';
import { readSecret } from '../../operations/settings.js';
import type { Workplace } from '../../operations/workplace.js';
import { atWorkplace, examples } from '../command.js';
import { type ListView, renderRecord } from '../output.js';

interface Options extends Omit<ProviderChange, 'secret'> {
  clientSecretFile?: string;
  publicClient?: boolean;
}

/** @param group `dropslot console` */
export function registerProviders(group: Command): void {
  registerSet(group);
  group
    .command('providers')
    .summary('list the providers at which people sign in')
    .description(
      `Lists the identity providers (OpenID Connect) at which people sign in: that of the server, which is the setting oidc, and those of organizations.`,
    )
    .addHelpText('after', examples('dropslot console providers'))
    .action((_options, command: Command) =>
      atWorkplace(command, async (workplace, out) => out.list(await listProviders(workplace), listOf(workplace))),
    );
  group
    .command('provider')
    .summary('show the provider of an organization')
    .description('Shows the provider of an organization, and the addresses of its sign-in.')
    .argument('<org>')
    .addHelpText('after', examples('dropslot console provider acme'))
    .action((org: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const provider = await showProvider(workplace, org);
        await out.show(providerToJson(provider, workplace), describe(provider, workplace));
      }),
    );
  group
    .command('remove-provider')
    .summary('remove the provider of an organization')
    .description(`Removes the provider of an organization. Its people sign in with a password from now on; those who have none need a new
invitation ("dropslot console invite"). Sessions go on until they end.`)
    .argument('<org>')
    .addHelpText('after', examples('dropslot console remove-provider acme'))
    .action((org: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const issuer = await removeProvider(workplace, org);
        await out.show({ org, issuer }, `Removed the provider ${issuer} of ${org}.`);
      }),
    );
}

function registerSet(group: Command): void {
  group
    .command('set-provider')
    .summary('set or change the provider of an organization')
    .description(
      `Sets the provider at which the people of an organization sign in to the web console, or changes what the options name. Register
the redirect address that it prints at the provider. A provider signs in people who were invited; with --new-accounts also
others, whose address has one of the --domains. Dropslot accepts an address only if the provider says that it is verified.`,
    )
    .argument('<org>')
    .option('--issuer <url>', 'https:// URL of the provider')
    .option('--client-id <id>', 'name of this console at the provider')
    .option('--client-secret-file <file>', 'secret of that client, in a file; also fd:N or credential:NAME')
    .option('--public-client', 'the client has no secret')
    .option('--label <text>', 'name on the button (default: single sign-on)')
    .option('--scopes <scopes>', 'scopes to ask for (default: "openid email")')
    .option('--email-claim <name>', 'claim that has the email address (default: email)')
    .option('--verified-claim <name>', 'claim that must be true (default: email_verified)')
    .option('--domains <domains>', 'domains of the addresses that may sign in, separated by commas (default: all)')
    .option(
      '--new-accounts <role>',
      'role of people who sign in without an invitation: viewer, admin or no (default: no)',
    )
    .addOption(
      new Option('--password-sign-in <on|off>', 'off: people sign in at the provider alone').choices(['on', 'off']),
    )
    .option('--allow-http', 'accept http:// in place of https://')
    .option('--allow-private', 'allow private and loopback addresses')
    .addHelpText(
      'after',
      examples(
        'dropslot console set-provider acme --issuer https://login.acme.example --client-id dropslot --client-secret-file ./secret --label "ACME Login"',
        'dropslot console set-provider acme --password-sign-in off',
      ),
    )
    .action((org: string, { clientSecretFile, publicClient, ...options }: Options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const secret = clientSecretFile === undefined ? undefined : readSecret(clientSecretFile, workplace.settings);
        const change = { ...options, secret: publicClient === true ? null : secret };
        const provider = await setProvider(workplace, org, change);
        await out.show(
          providerToJson(provider, workplace),
          `Set the provider of ${org}.\n${describe(provider, workplace)}`,
        );
      }),
    );
}

function describe(provider: ShownProvider, workplace: Workplace): string {
  const addresses = addressesOf(workplace, provider);
  return renderRecord([
    ['organization', provider.org ?? 'all'],
    ['issuer', provider.issuer],
    ['client id', provider.clientId],
    ['client secret', provider.hasSecret ? 'set' : 'none'],
    ['label', provider.label],
    ['scopes', provider.scopes],
    ['email claim', `${provider.emailClaim}, if ${provider.verifiedClaim} is true`],
    ['domains', provider.domains.join(', ') || 'all'],
    ['new accounts', provider.newAccounts ?? 'no'],
    ['password sign-in', provider.isRequired ? 'off' : 'on'],
    ['redirect address', addresses?.redirect ?? 'set console and consoleUrl first'],
    ['sign-in address', addresses?.signIn ?? null],
  ]);
}

function listOf(workplace: Workplace): ListView<ShownProvider> {
  return {
    columns: [
      { title: 'ORGANIZATION', cell: ({ org }) => org ?? 'server' },
      { title: 'ISSUER', cell: ({ issuer }) => issuer },
      { title: 'CLIENT', cell: ({ clientId }) => clientId },
      { title: 'NEW ACCOUNTS', cell: ({ newAccounts }) => newAccounts ?? 'no' },
      { title: 'PASSWORD SIGN-IN', cell: ({ isRequired }) => (isRequired ? 'off' : 'on') },
    ],
    empty:
      'No providers yet: the server has the setting oidc, an organization gets one with "dropslot console set-provider ORG".',
    toJson: (provider) => providerToJson(provider, workplace),
  };
}
