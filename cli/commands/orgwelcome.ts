/** `dropslot orgs welcome`: the sheet for a new customer. */
import type { Command } from 'commander';
import { welcomeToJson } from '../../operations/forms/orgs.js';
import { fitsPdf, renderPdf } from '../../operations/pdf.js';
import { makeWelcome } from '../../operations/welcome.js';
import { atWorkplace, examples } from '../command.js';
import { once, writePrivateFile } from '../localfiles.js';
import { readPort } from '../port.js';
import { showWritten } from '../written.js';

interface Options {
  host?: string;
  port?: number;
  out?: string;
}

export function registerWelcome(orgs: Command): void {
  orgs
    .command('welcome')
    .summary('print the sheet for a new customer')
    .description(
      `Prints what the people of an organization need to send their first file: host, port, user, fingerprints, how to make a key,
folders, times and whom to ask. It has no secret.`,
    )
    .argument('<org>', 'id of the organization')
    .option('--host <name>', 'the host name that clients connect to (default: the setting publicHost)')
    .option(
      '--port <number>',
      'the port that clients connect to (default: publicPort, or the port of the server)',
      readPort,
    )
    .option('--out <file>', 'write it to a file: as PDF if its name ends in .pdf, else as text')
    .addHelpText(
      'after',
      examples(
        'dropslot orgs welcome acme --host sftp.example.com',
        'dropslot orgs welcome acme --host sftp.example.com --port 22 --out acme.pdf',
      ),
    )
    .action((id: string, { host, port, out: file }: Options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const given = { ...(host !== undefined && { host }), ...(port !== undefined && { port }) };
        const welcome = await makeWelcome(workplace, id, given);
        const { org, contact, text } = welcome;
        const value = welcomeToJson(welcome);
        if (file === undefined) await out.show(value, text.trimEnd());
        else {
          const isPdf = /\.pdf$/i.test(file);
          await showWritten(out, file, await writePrivateFile(file, once(isPdf ? renderPdf(text) : text)), value);
          if (isPdf && !fitsPdf(text))
            out.note(
              'The PDF has "?" in the place of characters that its font lacks: write the sheet as text, to a name that ends in .txt.',
            );
        }
        if (!org.enabled) out.note(`${id} is disabled: it can't log in until "dropslot orgs enable ${id}".`);
        if (contact === null)
          out.note('The sheet names no contact: set "contact" in the settings, or with "orgs set".');
      }),
    );
}
