/** Routes that erase everything about a person, and that allow files to create such a person again. */
import { z } from 'zod';
import { OperationError } from '../../../operations/error.js';
import { type Erasure, readmitUser } from '../../../operations/people/erase.js';
import type { ErasureJob } from '../../../operations/people/erasurejobs.js';
import { count, orgParams } from '../forms.js';
import { Reply, type Route, route } from '../route.js';
import { name } from './directory.js';

/** The request is answered after this time; the erasure goes on. */
const answerAfterMs = 20_000;
/** For an import that is in progress. */
const longestWaitSeconds = 30;

const erased = z.strictObject({
  receipt: z.string(),
  wasUser: z.boolean(),
  directory: z.strictObject({ changes: count, mentions: count, reports: count, teams: count }),
  files: z.strictObject({ rewritten: count, removed: count, unsearched: z.array(z.string()) }),
  names: z.strictObject({ renamed: count, runs: count }),
  partials: count,
  /** false: the files of the databases still have deleted values, until the server has stopped. */
  isErased: z.boolean(),
});

function show({ receipt, wasUser, directory, files, names, partials, isErased }: Erasure) {
  return { receipt, wasUser, directory, files, names, partials, isErased };
}

function showJob({ receipt, state, progress, problem, result }: ErasureJob) {
  return { receipt, state, progress, problem, result: result && show(result) };
}

export const erasureRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/orgs/{org}/users/{email}/erase',
    summary:
      'Erase everything about a person; "confirm" repeats the address. It cannot be undone. After 20 s the answer is 202, and the erasure goes on. Repeat it if it was interrupted: it continues',
    right: 'admin',
    params: orgParams.extend({ email: name }),
    body: z.strictObject({
      /** The address of the person, or the receipt of an interrupted erasure, as in the path. */
      confirm: name,
      /** Texts that mean the person: removed from free text and from names of files. */
      texts: z.array(z.string().min(1).max(1_000)).max(100).default([]),
      /** Files that are no text, too large or damaged can't be searched. */
      unsearched: z.enum(['keep', 'remove']).default('keep'),
      waitSeconds: z.int().min(0).max(longestWaitSeconds).default(longestWaitSeconds),
    }),
    answer: z.union([
      erased,
      /** With the status 202: it takes longer. `Location` has its state. */
      z.strictObject({ receipt: z.string(), state: z.literal('running') }),
    ]),
    handle: async ({ workplace, params: { org, email }, body, erasures }) => {
      const { id } = await workplace.org(org);
      if (body.confirm.trim() !== email.trim())
        throw new OperationError('usage', 'to erase the person for good, repeat the address of the path in "confirm"');
      const options = {
        texts: body.texts,
        waitMs: body.waitSeconds * 1_000,
        removesUnsearched: body.unsearched === 'remove',
      };
      const { result, receipt } = await erasures.erase(workplace, id, email, options, answerAfterMs);
      if (result !== null) return show(result);
      const location = `/api/v1/orgs/${encodeURIComponent(id)}/erasures/${receipt}`;
      return new Reply({ receipt, state: 'running' }, { location }, 202);
    },
  }),
  route({
    method: 'GET',
    path: '/orgs/{org}/erasures/{receipt}',
    summary:
      'The state of an erasure: running, done, failed, or interrupted by the end of the server; the same request continues it',
    right: 'admin',
    params: orgParams.extend({ receipt: z.string().regex(/^[0-9a-f]{16}$/, 'must be the receipt of an erasure') }),
    answer: z.strictObject({
      receipt: z.string(),
      state: z.enum(['running', 'done', 'failed', 'interrupted']),
      /** Of a running one. */
      progress: z.string().nullable(),
      problem: z.string().nullable(),
      /** Of one that has ended since the server began. */
      result: erased.nullable(),
    }),
    handle: async ({ workplace, params, erasures }) =>
      showJob(await erasures.find(workplace, params.org, params.receipt)),
  }),
  route({
    method: 'POST',
    path: '/orgs/{org}/users/{email}/readmit',
    summary: 'Allow files to create a person again who was erased, by an address or the identifier',
    right: 'admin',
    params: orgParams.extend({ email: name }),
    answer: z.strictObject({ receipt: z.string() }),
    handle: async ({ workplace, params: { org, email } }) => {
      const { receipt } = await readmitUser(workplace, org, email);
      return { receipt };
    },
  }),
];
