/** The words of one organization: what its labels mean beside the standard ones (rules F7, U15). */
import type { Org } from '../../db/control/orgs.js';
import type { Field } from '../../db/directory/fields.js';
import type { Wording } from './header.js';
import { labelKey } from './normalize.js';

/** @param fields those that the organization has: a label of one of them is never a standard label misspelt. */
export function wordingOf(
  { options }: Pick<Org, 'options'>,
  fields: readonly Pick<Field, 'label' | 'aliases'>[],
): Wording {
  const own = fields.map(({ label }) => label).concat(options.identifier ?? []);
  return {
    aliases: new Map(Object.entries(options.aliases ?? {}).map(([label, standard]) => [labelKey(label), standard])),
    own: new Set([...own.map(labelKey), ...fields.flatMap(({ aliases }) => aliases)]),
  };
}
