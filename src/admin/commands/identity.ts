/** `dropslot identity …`. */
import type { Command } from 'commander';
import { atWorkplace, examples } from '../command.js';
import { exportIdentity } from '../operations/identity.js';

export function registerIdentity(program: Command): void {
  const identity = program
    .command('identity')
    .description("give out the age identity that opens an organization's files");
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
      atWorkplace(command, async (place, out) => {
        const exported = await exportIdentity(place, id);
        out.note(
          `This opens every file of ${id}, past and future. Keep it secret, and keep it no longer than you need it.`,
        );
        await out.show(
          exported,
          `# Dropslot: age identity of ${exported.org}\n# public key: ${exported.recipient}\n${exported.identity}`,
        );
      }),
    );
}
