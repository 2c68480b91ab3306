/** Routes of OpenPGP keys: list, show, make, import, rotate, revoke. No private key is ever given out. */
import { z } from 'zod';
import { pgpKeyToJson } from '../../../operations/forms/keys.js';
import {
  exportPublicPgpKey,
  generateOwnPgpKey,
  importPgpKey,
  listPgp,
  type PgpKeyView,
  pgpKeyTypes,
  readPgpExpiry,
  revokePgpKey,
  rotatePgpKey,
} from '../../../operations/pgp.js';
import { maybeTime, orgParams, pageByPlace, pageOf, pageQuery, pick, time } from '../forms.js';
import { type Route, route } from '../route.js';

const key = z.strictObject({
  fingerprint: z.string(),
  /** `own`: files are encrypted to it; `customer`: of the customer's programs. */
  kind: z.enum(['own', 'customer']),
  keyIds: z.array(z.string()),
  algorithm: z.string(),
  userId: z.string(),
  state: z.enum(['active', 'expired', 'revoked']),
  uses: z.array(z.string()),
  createdAt: time,
  expiresAt: maybeTime,
  revokedAt: maybeTime,
});

const making = {
  type: z.enum(pgpKeyTypes as unknown as [string, ...string[]]).default('rsa3072'),
  /** The last day of the key, or `never`; without it two years. */
  expires: z.string().min(1).max(40).optional(),
};

const dayMs = 86_400_000;

const showOne = (one: PgpKeyView) => pick(key, pgpKeyToJson(one));

type MadeType = (typeof pgpKeyTypes)[number];

/** A fingerprint, its beginning, or a key id. */
const keyParams = orgParams.extend({ key: z.string().min(1).max(100) });

export const pgpRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/orgs/{org}/pgp-keys',
    summary: "OpenPGP keys of an organization: its own, and those of its customer's programs",
    right: 'read',
    params: orgParams,
    query: pageQuery,
    answer: pageOf(key),
    handle: async ({ workplace, params, query }) => pageByPlace(await listPgp(workplace, params.org), query, showOne),
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/pgp-keys',
    summary: 'Make an OpenPGP key to which files are encrypted',
    right: 'admin',
    params: orgParams,
    body: z.strictObject(making),
    answer: key,
    status: 201,
    handle: async ({ workplace, params: { org }, body: { type, expires } }) => {
      const expiresAt = await readPgpExpiry(workplace, org, expires);
      return showOne(await generateOwnPgpKey(workplace, org, { type: type as MadeType, expiresAt }));
    },
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/pgp-keys/import',
    summary: "Add a public key of the customer's programs, or a private key of the organization's own",
    right: 'admin',
    params: orgParams,
    body: z.strictObject({
      /** In armor. */
      key: z.string().min(1).max(200_000),
      passphrase: z.string().max(1_000).optional(),
    }),
    answer: key,
    status: 201,
    handle: async ({ workplace, params: { org }, body }) => {
      await workplace.org(org);
      return showOne(await importPgpKey(workplace, org, Buffer.from(body.key), body.passphrase ?? null));
    },
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/pgp-keys/rotate',
    summary: 'Make a new OpenPGP key; files that are encrypted to the old ones are still read for some days',
    right: 'admin',
    params: orgParams,
    body: z.strictObject({ ...making, overlapDays: z.int().min(0).max(9_999).default(30) }),
    answer: z.strictObject({ made: key, ending: z.array(key) }),
    status: 201,
    handle: async ({ workplace, params: { org }, body: { type, expires, overlapDays } }) => {
      const expiresAt = await readPgpExpiry(workplace, org, expires);
      const options = { type: type as MadeType, expiresAt, overlapMs: overlapDays * dayMs };
      const { made, ending } = await rotatePgpKey(workplace, org, options);
      return { made: showOne(made), ending: ending.map(showOne) };
    },
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/pgp-key',
    summary: 'The public OpenPGP key for the customer, in armor: the published one, or the one that "key" names',
    right: 'read',
    params: orgParams,
    query: z.strictObject({ key: z.string().min(1).max(100).optional() }),
    answer: z.strictObject({ fingerprint: z.string(), publicKey: z.string() }),
    handle: async ({ workplace, params, query }) => {
      const { fingerprint, publicKey } = await exportPublicPgpKey(workplace, params.org, query.key);
      return { fingerprint, publicKey };
    },
  }),
  route({
    method: 'DELETE',
    path: '/orgs/{org}/pgp-keys/{key}',
    summary: 'Revoke an OpenPGP key: files that are encrypted to it, or signed with it, are refused from now on',
    right: 'admin',
    params: keyParams,
    answer: key,
    handle: async ({ workplace, params: { org, key: prefix } }) => {
      await workplace.org(org);
      return showOne(await revokePgpKey(workplace, org, prefix));
    },
  }),
];
