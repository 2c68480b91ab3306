/** `dropslot identity …`: show, export, rotate and destroy the age identities of organizations. */
import type { Command } from 'commander';
import { OperationError } from '../../operations/error.js';
import { destroyIdentity, exportIdentity, type IdentityView, viewIdentities } from '../../operations/identity.js';
import { rotateIdentity } from '../../operations/identityrotation.js';
import { rotateMaster } from '../../operations/masterkey.js';
import type { Workplace } from '../../operations/workplace.js';
import { atWorkplace, examples } from '../command.js';
import type { ListView, Output } from '../output.js';
import { ask, requireTerminal } from '../prompt.js';
import { describeDestroyed, describeMaster, describeRotation, unfinishedReason } from '../views/identity.js';

export function registerIdentity(program: Command): void {
  const identity = program
    .command('identity')
    .summary('age identities that open stored files')
    .description("show, export, rotate and destroy the age identities that open organizations' files");
  registerShow(identity);
  registerExport(identity);
  registerRotate(identity);
  registerRotateMaster(identity);
  registerDestroy(identity);
}

function registerShow(identity: Command): void {
  identity
    .command('show')
    .summary('show the age recipients of organizations')
    .description(
      'Shows the age recipient that seals the files of an organization, or of all, and how many files a rotation has left. Needs no key.',
    )
    .argument('[org]')
    .addHelpText('after', examples('dropslot identity show', 'dropslot identity show acme --json'))
    .action((id: string | undefined, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => out.list(await viewIdentities(workplace, id), identityList)),
    );
}

function registerExport(identity: Command): void {
  identity
    .command('export')
    .summary('print the age identity of an organization')
    .description(
      "Prints the age identity that opens an organization's files, as a file for age -i. Recorded in the audit trail.",
    )
    .argument('<org>')
    .addHelpText(
      'after',
      examples('dropslot identity export acme > acme.key', 'age -d -i acme.key data/blobs/3f/3f… > users.csv'),
    )
    .action((id: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const exported = await exportIdentity(workplace, id);
        out.note(
          `This identity opens every file of ${id}, past and future. Keep it secret, and delete it when you no longer need it.`,
        );
        await out.show(
          exported,
          `# Dropslot: age identity of ${exported.org}\n# public key: ${exported.recipient}\n${exported.identity}`,
        );
      }),
    );
}

function registerRotate(identity: Command): void {
  identity
    .command('rotate')
    .summary('give an organization a new identity')
    .description(
      `Gives an organization a new age identity, and each of its files a new header; the content is not encrypted again.
Works while the server runs. If it was interrupted, or an upload or import still uses the old identity, repeat it to
continue. If the identity was destroyed, this makes a new one.`,
    )
    .argument('<org>')
    .option('--wait <seconds>', 'time to wait for uploads and imports that still use the old identity', '60')
    .addHelpText('after', examples('dropslot identity rotate acme', 'dropslot identity rotate acme --wait 3600'))
    .action((id: string, { wait }: { wait: string }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        if (!/^\d{1,6}$/.test(wait))
          throw new OperationError('usage', `--wait must be a number of seconds, not "${wait}"`);
        const rotation = await rotateIdentity(workplace, id, { waitMs: Number(wait) * 1000, onProgress: out.note });
        await out.show(rotation, describeRotation(rotation));
        if (!rotation.isFinished) throw new OperationError('refused', unfinishedReason(rotation));
      }),
    );
}

function registerRotateMaster(identity: Command): void {
  identity
    .command('rotate-master')
    .summary('make a new master key')
    .description(
      `Makes a new master key, and seals the identity of every organization to it; files are not changed.
Works while the server runs. If it was interrupted, repeat it: until it ends, both keys work.
If the master key comes from a descriptor or a credential, first put a new identity before the old one there.`,
    )
    .addHelpText('after', examples('dropslot identity rotate-master'))
    .action((_options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const rotation = await rotateMaster(workplace);
        await out.show(rotation, describeMaster(rotation, workplace.secrets.masterKey));
      }),
    );
}

function registerDestroy(identity: Command): void {
  identity
    .command('destroy')
    .summary('make the files of an organization unreadable for ever')
    .description(
      `Deletes the identity of an organization: its stored files, and every copy of them, can no longer be opened.
Anyone with an older copy of the control database and the master key can still open them: destroy those copies as well.
The organization accepts no uploads until "dropslot identity rotate" gives it a new identity.`,
    )
    .argument('<org>')
    .option('--yes', 'do not ask')
    .addHelpText('after', examples('dropslot identity destroy acme', 'dropslot identity destroy acme --yes'))
    .action((id: string, { yes }: { yes?: boolean }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        await workplace.org(id);
        if (yes !== true) await confirmDestruction(workplace, out, id);
        const destroyed = await destroyIdentity(workplace, id);
        await out.show(destroyed, describeDestroyed(destroyed));
      }),
    );
}

/** @throws OperationError `refused` when the person does not confirm, or without a terminal */
async function confirmDestruction(workplace: Workplace, out: Output, id: string): Promise<void> {
  requireTerminal(`that the identity of ${id} is destroyed, which can't be undone,`);
  const [view] = await viewIdentities(workplace, id);
  out.note(
    `This makes every stored file of ${id} unreadable for ever, also in backups of the files.\nIts recipient is ${view!.recipient}.`,
  );
  const answer = await ask('Type the id of the organization to destroy its identity: ');
  if (answer !== id) throw new OperationError('refused', 'nothing was destroyed');
}

const identityList: ListView<IdentityView> = {
  columns: [
    { title: 'ORG', cell: (view) => view.org },
    { title: 'TYPE', cell: (view) => view.type },
    { title: 'STATE', cell: (view) => view.state },
    { title: 'TO REWRAP', cell: (view) => String(view.filesToRewrap), align: 'right' },
    { title: 'LOST', cell: (view) => String(view.filesLost), align: 'right' },
    { title: 'RECIPIENT', cell: (view) => view.recipient },
  ],
  empty: 'No organizations yet: add one with "dropslot orgs add".',
  toJson: (view) => ({ ...view }),
};
