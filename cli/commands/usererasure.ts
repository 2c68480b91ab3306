/** `dropslot users erase|readmit`: erases everything about a person, and allows files to create them again. */
import { type Command, Option } from 'commander';
import { OperationError } from '../../operations/error.js';
import { eraseUser, readmitUser } from '../../operations/people/erase.js';
import { atWorkplace, examples } from '../command.js';
import { ask, requireTerminal } from '../prompt.js';
import { backupsKeep, describeErasure } from '../views/erasures.js';

interface EraseOptions {
  also?: string[];
  yes?: boolean;
  wait: string;
  unsearched: 'keep' | 'remove';
}

export function registerUserErasure(users: Command): void {
  users
    .command('erase')
    .summary('erase everything about a person')
    .description(
      `Erases a person: the user, the record of changes, and the rows and mentions in every stored file: archives, reports, files
that wait. Files with a mention are sealed anew without it; files whose names have the address get another name. This cannot be
undone. The receipt in the audit trail names nobody. Works while the server runs; if it was interrupted, repeat it. Free text that
has only the name is found with --also. A later file does not create the person again: its sender is told,
and "dropslot users readmit" allows it. ${backupsKeep}`,
    )
    .argument('<org>')
    .argument('<email>', 'an address of the person, or the receipt of an interrupted erasure')
    .option('--yes', 'do not ask')
    .option(
      '--also <text>',
      'a name or another text to remove from free text and from names of files; may be repeated',
      collect,
    )
    .option('--wait <seconds>', 'time to wait for an import in progress', '60')
    .addOption(
      new Option('--unsearched <choice>', "files that are no text, or too large, or damaged: they can't be searched")
        .choices(['keep', 'remove'])
        .default('keep'),
    )
    .addHelpText(
      'after',
      examples(
        'dropslot users erase acme ann@acme.test',
        'dropslot users erase acme ann@acme.test --also "Ann Miller" --also "Annie M."',
        'dropslot users erase acme ann@acme.test --yes --unsearched remove',
      ),
    )
    .action((id: string, email: string, { also = [], yes, wait, unsearched }: EraseOptions, command: Command) =>
      atWorkplace(command, async (place, out) => {
        if (!/^\d{1,6}$/.test(wait))
          throw new OperationError('usage', `--wait must be a number of seconds, not "${wait}"`);
        await place.org(id);
        if (yes !== true) await confirmErasure(id, email.trim());
        const options = {
          texts: also,
          waitMs: Number(wait) * 1000,
          removesUnsearched: unsearched === 'remove',
          onProgress: out.note,
        };
        const erasure = await eraseUser(place, id, email, options);
        await out.show(erasure, describeErasure(erasure));
      }),
    );
  users
    .command('readmit')
    .summary('allow files to create a person again who was erased')
    .description(
      `Allows files to create a person again who was erased. Name an address that the person had when they were erased, or the
identifier. Send the file again afterwards.`,
    )
    .argument('<org>')
    .argument('<email-or-identifier>')
    .addHelpText('after', examples('dropslot users readmit acme ann@acme.test', 'dropslot users readmit acme E-900'))
    .action((id: string, who: string, _options, command: Command) =>
      atWorkplace(command, async (place, out) => {
        const { receipt } = await readmitUser(place, id, who);
        await out.show({ org: id, receipt }, `Files of ${id} may create this person again. It was erasure ${receipt}.`);
      }),
    );
}

/** The values of an option that may be repeated. */
function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** @throws OperationError `refused` unless the person at the terminal types the address, and where there is no terminal. */
async function confirmErasure(org: string, email: string): Promise<void> {
  requireTerminal("the erasure, which can't be undone,");
  const question = `This erases everything about ${email} in ${org}, and can't be undone.\n${backupsKeep}\nType the address to erase the person: `;
  if ((await ask(question)) !== email) throw new OperationError('refused', 'nothing was erased');
}
