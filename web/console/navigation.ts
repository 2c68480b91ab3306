/** The links that an account sees: those of the organization that it looks at, and those of the server. */
import { type Account, type AccountRight, hasRight } from '../../operations/accounts/rights.js';
import type { Org } from '../../operations/orgdetails.js';
import { path } from './html.js';
import { texts } from './texts/texts.js';

export interface Links {
  title: string;
  items: { text: string; to: string }[];
}

type Link = readonly [to: string, text: string, right: AccountRight | null];

const t = texts.navigation;

const ofOrg: readonly Link[] = [
  ['', t.home, 'org.read'],
  ['/imports', t.imports, 'org.read'],
  ['/check', t.check, 'org.decide'],
  ['/people', t.people, 'org.read'],
  ['/teams', t.teams, 'org.read'],
  ['/connection', t.connection, 'org.read'],
  ['/notifications', t.notifications, 'org.read'],
  ['/members', t.members, 'org.members'],
  ['/help', t.help, 'org.read'],
  ['/settings', t.settings, 'server.read'],
];

const ofServer: readonly Link[] = [
  ['/', t.overview, 'server.read'],
  ['/runs', t.runs, 'server.read'],
  ['/directory', t.directory, 'server.read'],
  ['/arrivals', t.arrivals, 'server.read'],
  ['/events', t.events, 'server.read'],
  ['/network', t.network, 'server.read'],
  ['/audit', t.audit, 'audit.read'],
  ['/system', t.system, 'server.read'],
  ['/operators', t.operators, 'server.people'],
];

export function navigationOf(account: Account, org: Org | null): Links[] {
  const may = ([, , right]: Link) => right === null || hasRight(account, right);
  const own = org === null ? [] : ofOrg.filter(may).map(([to, text]) => ({ text, to: path`/orgs/${org.id}` + to }));
  const all = account.org !== null ? [] : ofServer.filter(may).map(([to, text]) => ({ text, to }));
  return [
    { title: org?.name ?? '', items: own },
    { title: t.server, items: all },
  ].filter(({ items }) => items.length > 0);
}
