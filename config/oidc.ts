/** The setting `oidc`: the OpenID Connect provider at which the people of the server sign in to the console. */
import { z } from 'zod';
import { isSecretFile } from './secretsource.js';

/** `https://login.example/tenant`: as the provider's documents have it. */
export function isIssuer(given: string): boolean {
  if (given.length > 500 || /[\s?#]/.test(given) || !URL.canParse(given)) return false;
  const { protocol, username, password } = new URL(given);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}

export function isDomain(given: string): boolean {
  return given.length <= 253 && /^([a-z\d]([a-z\d-]*[a-z\d])?\.)+[a-z\d-]{2,}$/i.test(given);
}

/** Words with blanks between them, with `openid`. */
export function isScopes(given: string): boolean {
  return given.length <= 500 && /^[\x21-\x7e]+( [\x21-\x7e]+)*$/.test(given) && given.split(' ').includes('openid');
}

/** Of a button. */
export function isLabel(given: string): boolean {
  return given.trim() !== '' && given.length <= 60 && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(given);
}

export function isClaim(given: string): boolean {
  return /^[\w:./-]{1,200}$/.test(given);
}

/** Each message names its member. */
const say = (member: string, takes: string) => `must have ${member}: ${takes}`;
const checked = (member: string, isRight: (given: string) => boolean, takes: string) =>
  z.string({ error: say(member, takes) }).refine(isRight, say(member, takes));
const yesOrNo = (member: string) => z.boolean({ error: say(member, 'true or false') });
const domainList = 'a list of domains such as ["operator.example"]';

const shape = {
  issuer: checked('issuer', isIssuer, 'the https:// URL of the provider, as its documents have it'),
  clientId: checked('clientId', (given) => /^[\x20-\x7e]{1,500}$/.test(given), 'a text of 1 to 500 characters'),
  clientSecretFile: checked('clientSecretFile', isSecretFile, 'the path of a file, or credential:NAME').optional(),
  scopes: checked('scopes', isScopes, 'words with blanks between them, one of them openid').default('openid email'),
  label: checked('label', isLabel, 'a text of 1 to 60 characters').default('single sign-on'),
  emailClaim: checked('emailClaim', isClaim, 'the name of a claim').default('email'),
  verifiedClaim: checked('verifiedClaim', isClaim, 'the name of a claim').default('email_verified'),
  domains: z.array(checked('domains', isDomain, domainList), { error: say('domains', domainList) }).default([]),
  organizations: yesOrNo('organizations').default(false),
  newAccounts: z.enum(['read-only', 'auditor'], { error: say('newAccounts', 'read-only or auditor') }).optional(),
  allowHttp: yesOrNo('allowHttp').default(false),
};

const members = z
  .strictObject(shape, {
    error: ({ code, keys }) =>
      code === 'unrecognized_keys'
        ? `has the unknown member ${String(keys)}; its members are ${Object.keys(shape).join(', ')}`
        : 'must be an object with issuer and clientId',
  })
  .refine(({ issuer, allowHttp }) => allowHttp || !issuer.startsWith('http:'), {
    error: say('issuer', 'a URL that begins with https://; "allowHttp": true accepts http://, for tests'),
  })
  .refine(({ newAccounts, domains }) => newAccounts === undefined || domains.length > 0, {
    error: say('domains', 'with newAccounts, the domains of the addresses that get an account'),
  });

export type OidcSetting = z.infer<typeof members>;

/** In a variable the object is JSON. */
function parse(given: unknown): unknown {
  if (typeof given !== 'string') return given;
  try {
    return JSON.parse(given);
  } catch {
    return null;
  }
}

export function oidcSetting() {
  return z.preprocess(parse, members).meta({ takes: 'object (in the variable: JSON)' });
}
