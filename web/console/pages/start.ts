/** The start page: the home of an account's organization, or the overview of all. */
import { hasRight } from '../../../operations/accounts/rights.js';
import { ofOrg } from '../layout.js';
import { type ConsoleRoute, page } from '../route.js';
import { showOverview } from './overview.js';

export const startRoutes: readonly ConsoleRoute[] = [
  page('/', null, async (call) => {
    const { account } = call;
    if (account.org !== null) return { to: ofOrg(account.org) };
    return hasRight(account, 'server.read') ? showOverview(call) : { to: '/audit' };
  }),
];
