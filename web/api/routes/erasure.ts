/** Routes that erase everything about a person, and that allow files to create such a person again. */
import { z } from 'zod';
import { OperationError } from '../../../operations/error.js';
import { eraseUser, readmitUser } from '../../../operations/people/erase.js';
import { takePlace } from '../../../operations/places.js';
import { count, orgParams } from '../forms.js';
import { type Route, route } from '../route.js';
import { name } from './directory.js';

/** Each reads every stored file of its organization. */
const mostErasures = 1;
/** For an import that is in progress. */
const longestWaitSeconds = 30;

export const erasureRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/orgs/{org}/users/{email}/erase',
    summary:
      'Erase everything about a person; "confirm" repeats the address. It cannot be undone. Repeat it if it was interrupted or took too long: it continues',
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
    answer: z.strictObject({
      receipt: z.string(),
      wasUser: z.boolean(),
      directory: z.strictObject({ changes: count, mentions: count, reports: count, teams: count }),
      files: z.strictObject({ rewritten: count, removed: count, unsearched: z.array(z.string()) }),
      names: z.strictObject({ renamed: count, runs: count }),
      partials: count,
      /** false: the files of the databases still have deleted values, until the server has stopped. */
      isErased: z.boolean(),
    }),
    handle: async ({ workplace, params: { org, email }, body, busy }) => {
      const { id } = await workplace.org(org);
      if (body.confirm.trim() !== email.trim())
        throw new OperationError('usage', 'to erase the person for good, repeat the address of the path in "confirm"');
      const leave = takePlace(busy, 'erasure', mostErasures);
      if (leave === null) throw new OperationError('unavailable', 'another person is erased now: try it again later');
      try {
        const erased = await eraseUser(workplace, id, email, {
          texts: body.texts,
          waitMs: body.waitSeconds * 1_000,
          removesUnsearched: body.unsearched === 'remove',
        });
        const { receipt, wasUser, directory, files, names, partials, isErased } = erased;
        return { receipt, wasUser, directory, files, names, partials, isErased };
      } finally {
        leave();
      }
    },
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
