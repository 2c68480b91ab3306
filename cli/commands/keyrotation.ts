/** `dropslot keys rotate`: replace login keys with a grace period. */

import type { Command } from 'commander';
import { formatTime } from '../../operations/format.js';
import { addedToJson, keyToJson } from '../../operations/forms/keys.js';
import { readGrace, readTerms } from '../../operations/keyterms.js';
import { type RotatedKeys, rotateKeys } from '../../operations/loginkeyrotation.js';
import { atControl, examples } from '../command.js';
import { readInputBytes } from '../localfiles.js';
import { noteAdded, type TermOptions, withTerms } from './keyterms.js';

interface RotateOptions extends TermOptions {
  grace: string;
  replaces?: string[];
  managed?: boolean;
}

export function registerKeyRotation(keys: Command): void {
  const rotate = keys
    .command('rotate')
    .summary('replace keys, with a grace period in which both work')
    .description(
      `Adds the keys of a file, and lets the old ones expire after a grace period: every other key of the organization, or
those of --replaces. The new key gets the addresses and the permission of the old ones. A second call can shorten the
remaining time; "keys set" can extend it.`,
    )
    .argument('<org>')
    .argument('<file>', 'the new public key; - reads standard input')
    .option('--grace <time>', 'how long the old keys remain valid: 7d, 12h, 30m, 2w, 0', '7d')
    .option('--replaces <fingerprints...>', 'which keys are old (default: every other key)')
    .option('--managed', 'also replace keys that files of the key folder manage');
  withTerms(rotate)
    .addHelpText(
      'after',
      examples(
        'dropslot keys rotate acme ./new.pub --grace 7d',
        'dropslot keys rotate acme ./new.pub --replaces SHA256:pX3k --grace 0',
      ),
    )
    .action((id: string, file: string, options: RotateOptions, command: Command) =>
      atControl(command, async (workplace, out) => {
        const { grace, replaces = [], managed, publicPart, ...texts } = options;
        const org = await workplace.org(id);
        const rotated = await rotateKeys(
          workplace,
          id,
          readInputBytes(file),
          readTerms(texts, org.timeZone, workplace.now()),
          {
            graceMs: readGrace(grace),
            replaces,
            managed: managed === true,
            publicPart: publicPart === true,
          },
        );
        noteAdded(rotated.added, out);
        const { added, successor, replaced, kept } = rotated;
        const value = {
          added: added.map(addedToJson),
          successor,
          replaced: replaced.map(keyToJson),
          kept: kept.map(keyToJson),
        };
        await out.show(value, describeRotation(id, rotated));
      }),
    );
}

function describeRotation(org: string, { added, successor, replaced, kept }: RotatedKeys): string {
  return [
    ...added.map((key) => `Added ${key.fingerprint} (${key.algorithm}) to ${org}.`),
    ...(added.length === 0 ? [`${successor} existed already.`] : []),
    ...replaced.map(
      (key) =>
        `${key.fingerprint}${key.label === '' ? '' : ` (${key.label})`} works until ${formatTime(key.expiresAt)}.`,
    ),
    ...kept.map((key) => `${key.fingerprint} is unchanged.`),
    `To see who still uses an old key: dropslot keys list ${org}`,
  ].join('\n');
}
