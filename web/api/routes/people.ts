/** Routes of the people of the web console, of one organization and of all, and of the providers at which they sign in. */
import { z } from 'zod';
import { consoleAddress, invitationLink } from '../../../operations/accounts/link.js';
import {
  listProviders,
  removeProvider,
  type ShownProvider,
  setProvider,
  showProvider,
} from '../../../operations/accounts/orgprovider.js';
import {
  changeRole,
  findPerson,
  inviteAccount,
  listPeople,
  removePerson,
} from '../../../operations/accounts/people.js';
import { type Account, orgRoles, roles, serverRoles } from '../../../operations/accounts/rights.js';
import { isoTime } from '../../../operations/format.js';
import { accountToJson, providerToJson } from '../../../operations/forms/accounts.js';
import type { Workplace } from '../../../operations/workplace.js';
import { maybeTime, orgParams, pageByPlace, pageOf, pageQuery, pick, time } from '../forms.js';
import { type Route, route } from '../route.js';

const maybeText = z.string().nullable();

const person = z.strictObject({
  id: z.string(),
  email: z.string(),
  role: z.enum(roles),
  /** null: a role of the server. */
  org: maybeText,
  /** false: invited, and never signed in. */
  isSet: z.boolean(),
  hasPassword: z.boolean(),
  createdBy: z.string(),
  createdAt: time,
  signedInAt: maybeTime,
});

/** `link` null: in the answer to a repetition with the same Idempotency-Key. */
const invited = person.extend({ link: maybeText, expiresAt: time });

const address = z.string().min(1).max(1_000);

type Asked = { workplace: Workplace; params: { org?: string; person: string } };

const show = (account: Account) => pick(person, accountToJson(account));

/** undefined: the path names no organization. @throws OperationError `not_found` */
const ownOf = async (workplace: Workplace, params: { org?: string } | object) =>
  'org' in params && params.org !== undefined ? (await workplace.org(params.org)).id : undefined;

const current = async (call: Asked) =>
  show(await findPerson(call.workplace, call.params.person, await ownOf(call.workplace, call.params)));

const peopleAt = (prefix: string, isOfServer: boolean): Route[] => {
  const listParams = isOfServer ? z.strictObject({}) : orgParams;
  const params = isOfServer ? z.strictObject({ person: address }) : orgParams.extend({ person: address });
  const isOf = { isOfServer, right: 'people' as const };
  const comparing = { current, ...(!isOfServer && { comparesIn: 'control' as const }) };
  return [
    route({
      ...isOf,
      method: 'GET',
      path: `${prefix}/people`,
      summary: `Who may sign in to the console${isOfServer ? '' : ' for an organization'}, with role and last sign-in`,
      params: listParams,
      query: pageQuery,
      answer: pageOf(person),
      handle: async ({ workplace, params: at, query }) =>
        pageByPlace(await listPeople(workplace, await ownOf(workplace, at)), query, show),
    }),
    route({
      ...isOf,
      method: 'POST',
      path: `${prefix}/people`,
      summary: `Invite a person in a role of ${isOfServer ? 'the server' : 'an organization'}, or give one a new invitation; its link is shown once`,
      params: listParams,
      body: z.strictObject({ email: address, role: z.enum(isOfServer ? serverRoles : orgRoles) }),
      answer: invited,
      status: 201,
      handle: async ({ workplace, params: at, body: { email, role } }) => {
        const org = await ownOf(workplace, at);
        consoleAddress(workplace.settings);
        const { account, code, expiresAt } = await inviteAccount(workplace, { email, role, org });
        const link = invitationLink(workplace.settings, code);
        return { ...show(account), link, expiresAt: isoTime(expiresAt) };
      },
    }),
    route({
      ...isOf,
      method: 'GET',
      path: `${prefix}/people/{person}`,
      summary: 'One person, by the address',
      params,
      answer: person,
      handle: current,
    }),
    route({
      ...isOf,
      ...comparing,
      method: 'PATCH',
      path: `${prefix}/people/{person}`,
      summary: 'Change the role of a person, from the next request on',
      params,
      body: z.strictObject({ role: z.enum(isOfServer ? roles : orgRoles) }),
      answer: person,
      handle: async ({ workplace, params: at, body: { role } }) =>
        show(await changeRole(workplace, at.person, role, await ownOf(workplace, at))),
    }),
    route({
      ...isOf,
      ...comparing,
      method: 'DELETE',
      path: `${prefix}/people/{person}`,
      summary: 'Remove a person; the sessions end at once',
      params,
      answer: person,
      handle: async ({ workplace, params: at }) =>
        show(await removePerson(workplace, at.person, await ownOf(workplace, at))),
    }),
  ];
};

const provider = z.strictObject({
  /** null: of the server. */
  org: maybeText,
  issuer: z.string(),
  clientId: z.string(),
  hasSecret: z.boolean(),
  label: z.string(),
  scopes: z.string(),
  emailClaim: z.string(),
  verifiedClaim: z.string(),
  domains: z.array(z.string()),
  newAccounts: maybeText,
  passwordSignIn: z.boolean(),
  allowHttp: z.boolean(),
  allowPrivate: z.boolean(),
  /** null: the console is off. */
  signIn: maybeText,
  redirect: maybeText,
});

const text = z.string().max(2_000).optional();

const showOne = (one: ShownProvider, workplace: Workplace) => pick(provider, providerToJson(one, workplace));

const currentProvider = async ({ workplace, params: { org } }: { workplace: Workplace; params: { org: string } }) =>
  showOne(await showProvider(workplace, org), workplace);

const ofProvider = {
  path: '/orgs/{org}/provider',
  right: 'people' as const,
  isOfServer: true,
  params: orgParams,
  answer: provider,
};

const providerRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/providers',
    summary: 'Providers at which people sign in: that of the server, and those of organizations; without secrets',
    right: 'people',
    isOfServer: true,
    query: pageQuery,
    answer: pageOf(provider),
    handle: async ({ workplace, query }) =>
      pageByPlace(await listProviders(workplace), query, (one) => showOne(one, workplace)),
  }),
  route({
    ...ofProvider,
    method: 'GET',
    summary: 'The provider of an organization, without its secret',
    handle: currentProvider,
  }),
  route({
    ...ofProvider,
    method: 'PATCH',
    summary: 'Set the provider of an organization, or change what the body names',
    body: z.strictObject({
      issuer: text,
      clientId: text,
      /** null: the client has none. */
      clientSecret: z.string().min(1).max(4_000).nullable().optional(),
      label: text,
      scopes: text,
      emailClaim: text,
      verifiedClaim: text,
      /** Separated by commas; empty: all. */
      domains: z.string().max(30_000).optional(),
      newAccounts: z.enum(['no', ...orgRoles]).optional(),
      passwordSignIn: z.boolean().optional(),
      allowHttp: z.boolean().optional(),
      allowPrivate: z.boolean().optional(),
    }),
    current: currentProvider,
    comparesIn: 'control',
    handle: async ({ workplace, params: { org }, body: { clientSecret: secret, passwordSignIn, ...change } }) => {
      const signIn = passwordSignIn === undefined ? undefined : passwordSignIn ? 'on' : 'off';
      return showOne(await setProvider(workplace, org, { ...change, secret, passwordSignIn: signIn }), workplace);
    },
  }),
  route({
    ...ofProvider,
    method: 'DELETE',
    summary: 'Remove the provider of an organization: its people need a password from now on',
    current: currentProvider,
    comparesIn: 'control',
    handle: async ({ workplace, params }) => {
      const shown = await currentProvider({ workplace, params });
      await removeProvider(workplace, params.org);
      return shown;
    },
  }),
];

export const peopleRoutes: readonly Route[] = [
  ...peopleAt('/orgs/{org}', false),
  ...peopleAt('', true),
  ...providerRoutes,
];
