/** Routes of the file of `dropslot apply`: written from the present state, compared with it, and applied. */
import { z } from 'zod';
import { OperationError } from '../../../operations/error.js';
import { inOnePlace } from '../../../operations/places.js';
import { changeToJson } from '../../../operations/setup/change.js';
import { readSetup, type Setup } from '../../../operations/setup/document.js';
import { exportSetup } from '../../../operations/setup/export.js';
import { applyChanges, compareSetup } from '../../../operations/setup/setup.js';
import { type Route, route } from '../route.js';

const mostText = 256 * 1024;

const change = z.strictObject({
  /** null: of the server. */
  org: z.string().nullable(),
  kind: z.enum(['add', 'change', 'remove']),
  text: z.string(),
});

export const setupRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/setup',
    summary:
      'Organizations, keys, providers, webhooks and notifications as a file of "dropslot apply", without secrets and hooks',
    right: 'admin',
    isOfServer: true,
    query: z.strictObject({
      /** Only these, separated by commas. */
      orgs: z.string().min(1).max(10_000).optional(),
    }),
    answer: z.strictObject({ yaml: z.string() }),
    handle: async ({ workplace, query: { orgs } }) => {
      const ids = orgs?.split(',').map((id) => id.trim());
      return { yaml: await exportSetup(workplace, ids, { isRemote: true }) };
    },
  }),
  route({
    method: 'POST',
    path: '/setup',
    summary:
      'Show how the state differs from a file of "dropslot apply", and make the changes; a file with hooks is refused',
    right: 'people',
    isOfServer: true,
    body: z.strictObject({
      yaml: z.string().max(mostText),
      dryRun: z.boolean().default(false),
      prune: z.boolean().default(false),
    }),
    answer: z.strictObject({
      /** Whether all changes were made, and not only compared. */
      applied: z.boolean(),
      /** Of the changes, from the first one on. */
      made: z.int(),
      /** Why the change after these was not made; null: all were, or nothing was to be made. */
      failure: z.string().nullable(),
      changes: z.array(change),
      /** Organizations that the file does not name; no request of this kind removes them. */
      unnamed: z.array(z.string()),
      /** Sentences, some with a new secret; null: in the answer to a repetition with the same Idempotency-Key. */
      notes: z.array(z.string()).nullable(),
    }),
    handle: ({ workplace, body: { yaml, dryRun, prune }, busy }) =>
      inOnePlace(busy, 'setup', async () => {
        const { changes, unnamed } = await compareSetup(workplace, requireRemote(readSetup(yaml)), prune);
        const { made, notes, failure } = await applyChanges(dryRun ? [] : changes);
        const applied = made > 0 && failure === null;
        return { applied, made, failure: failure?.message ?? null, changes: changes.map(changeToJson), unnamed, notes };
      }),
  }),
];

/** An empty list of hooks would remove them, with `prune`. @throws OperationError `refused` */
function requireRemote(setup: Setup): Setup {
  if (setup.hooks === null) return setup;
  throw new OperationError(
    'refused',
    'hooks are programs of the server: only "dropslot apply" on the server sets them',
  );
}
