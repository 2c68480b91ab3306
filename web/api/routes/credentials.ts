/** Routes of credentials other than plain keys: generated passwords, and certificates that are revoked before they expire. */
import { z } from 'zod';
import { addPassword, listRevoked, revokeCertificates } from '../../../operations/credentials.js';
import { isoTime } from '../../../operations/format.js';
import { readTerms } from '../../../operations/keyterms.js';
import { showKey } from '../../../operations/loginkeys.js';
import { orgParams, pageByPlace, pageOf, pageQuery, time } from '../forms.js';
import { type Route, route } from '../route.js';
import { definedOf, key, showOneKey, terms } from './keys.js';

const { sha1: _sha1, principals: _principals, ...passwordTerms } = terms;

const mark = {
  kind: z.enum(['serial', 'id', 'key']),
  value: z.string(),
  /** Fingerprint of the authority; empty: any authority of the organization. */
  authority: z.string(),
};

const text = z.string().min(1).max(1_000);

export const credentialRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/orgs/{org}/passwords',
    summary: 'Generate a password, for a client that supports no keys; it is shown once',
    right: 'admin',
    params: orgParams,
    body: z.strictObject(passwordTerms),
    /** The password is null in the answer to a repetition with the same Idempotency-Key. */
    answer: z.strictObject({ key, password: z.string().nullable() }),
    status: 201,
    handle: async ({ workplace, params: { org }, body }) => {
      const { timeZone } = await workplace.org(org);
      const added = await addPassword(workplace, org, readTerms(definedOf(body), timeZone, workplace.now()));
      return { key: showOneKey(await showKey(workplace, org, added.key.fingerprint)), password: added.password };
    },
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/revoked-certificates',
    summary: 'Certificates that were revoked before they expired',
    right: 'read',
    params: orgParams,
    query: pageQuery,
    answer: pageOf(z.strictObject({ ...mark, at: time })),
    handle: async ({ workplace, params, query }) =>
      pageByPlace(await listRevoked(workplace, params.org), query, ({ kind, value, authority, at }) => {
        return { kind, value, authority, at: isoTime(at) };
      }),
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/revoked-certificates',
    summary: 'Revoke certificates by their serial number, their id or their key, one of the three; ends their sessions',
    right: 'admin',
    params: orgParams,
    body: z.strictObject({
      serial: text.optional(),
      id: text.optional(),
      /** A fingerprint, or the line of a public key. */
      key: z.string().min(1).max(20_000).optional(),
      authority: text.optional(),
    }),
    answer: z.strictObject(mark),
    status: 201,
    handle: async ({ workplace, params: { org }, body: { serial, id, key: certified, authority } }) => {
      await workplace.org(org);
      const choice = {
        ...(serial !== undefined && { serial }),
        ...(id !== undefined && { id }),
        ...(certified !== undefined && { key: certified }),
        ...(authority !== undefined && { authority }),
      };
      const revoked = await revokeCertificates(workplace, org, choice);
      return { kind: revoked.kind, value: revoked.value, authority: revoked.authority };
    },
  }),
];
