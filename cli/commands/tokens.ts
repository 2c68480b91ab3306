/** `dropslot tokens …`: access tokens of the HTTP API. */

import type { Command } from 'commander';
import { tokenToJson } from '../../operations/forms/keys.js';
import { addToken, listAllTokens, revokeTokenById, tokenScopes, type WantedToken } from '../../operations/tokens.js';
import { atControl, examples } from '../command.js';
import { tokenList } from '../views/tokens.js';

export function registerTokens(program: Command): void {
  const group = program
    .command('tokens')
    .summary('access tokens of the HTTP API')
    .description('add, list and revoke access tokens of the HTTP API');
  group
    .command('add')
    .summary('add a token')
    .description(
      `Adds an access token of the HTTP API and prints it once. Scopes: read (lists and values), operate (also import, approve,
reject and undo runs), admin (also change organizations and keys, and read the audit trail), owner (also manage tokens and people of the console), audit (the audit trail alone),
upload (drop files for an import, and nothing else: for the programs of customers), scim (read users and groups by SCIM, and nothing else).`,
    )
    .requiredOption('--name <name>', 'the program or person that will use it')
    .requiredOption('--scope <scope>', tokenScopes.join(', '))
    .option('--org <org>', 'only for this organization (default: all)')
    .option('--expires <date>', 'its last day (2027-01-31) or a time; without it the token does not expire')
    .addHelpText(
      'after',
      examples(
        'dropslot tokens add --name grafana --scope read --expires 2027-01-31',
        'dropslot tokens add --name hr-portal --org acme --scope operate',
        'dropslot tokens add --name workday --org acme --scope upload',
        'dropslot tokens add --name wiki --org acme --scope scim',
      ),
    )
    .action((options: WantedToken, command: Command) =>
      atControl(command, async (workplace, out) => {
        const { secret, ...token } = await addToken(workplace, options);
        await out.show(
          { ...tokenToJson(token, workplace.now()), secret },
          `Added the token ${token.id}. It is not shown again:\n${secret}`,
        );
      }),
    );
  group
    .command('list')
    .summary('list the tokens')
    .description('Lists all tokens with their scope, expiry and last use.')
    .addHelpText('after', examples('dropslot tokens list', 'dropslot tokens list --json'))
    .action((_options, command: Command) =>
      atControl(command, async (workplace, out) =>
        out.list(await listAllTokens(workplace), tokenList(workplace.now())),
      ),
    );
  group
    .command('revoke')
    .summary('revoke a token')
    .description('Revokes a token: no further request with it is answered.')
    .argument('<id>', 'id of the token, tok_…')
    .addHelpText('after', examples('dropslot tokens revoke tok_1a2b3c4d5e6f7081'))
    .action((id: string, _options, command: Command) =>
      atControl(command, async (workplace, out) => {
        const token = await revokeTokenById(workplace, id);
        await out.show(tokenToJson(token, workplace.now()), `Revoked the token ${token.id} (${token.name}).`);
      }),
    );
}
