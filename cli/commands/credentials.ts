/** `dropslot keys password`, `revoke-cert` and `revoked-certs`. */
import type { Command } from 'commander';
import { addPassword, listRevoked, revokeCertificates } from '../../operations/credentials.js';
import { OperationError } from '../../operations/error.js';
import { formatTime, isoTime } from '../../operations/format.js';
import { type KeyTermTexts, readTerms } from '../../operations/keyterms.js';
import { atWorkplace, examples } from '../command.js';
import { addTermOptions, readKeyFile } from './keyterms.js';

interface CertificateOptions {
  serial?: string;
  id?: string;
  key?: string;
  ca?: string;
}

export function registerCredentials(keys: Command): void {
  registerPassword(keys);
  registerCertificates(keys);
}

function registerPassword(keys: Command): void {
  const password = keys
    .command('password')
    .summary('make a password, for a system that can do nothing else')
    .description(
      `Makes a long random password and prints it once; only its hash is kept. As long as any organization has one, clients
of all are asked for one. A key is better: it is never sent to a server.`,
    )
    .argument('<org>')
    .option('--generate', 'make it (there is no way to choose one)');
  addTermOptions(password)
    .addHelpText('after', examples('dropslot keys password acme --generate --from 192.0.2.7 --expires 2027-12-31'))
    .action((id: string, { generate, ...texts }: KeyTermTexts & { generate?: boolean }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        if (generate !== true)
          throw new OperationError('usage', 'passwords are generated, never chosen: say --generate');
        const org = await workplace.org(id);
        const { key, password: text } = await addPassword(
          workplace,
          id,
          readTerms(texts, org.timeZone, workplace.now()),
        );
        out.note(
          `This is shown once. It is called ${key.fingerprint}; "dropslot keys revoke ${id} ${key.fingerprint}" ends it.`,
        );
        await out.show({ fingerprint: key.fingerprint, password: text, expiresAt: isoTime(key.expiresAt) }, text);
      }),
    );
}

function registerCertificates(keys: Command): void {
  keys
    .command('revoke-cert')
    .summary('let certificates log in no longer')
    .description(
      `Revokes certificates before their time: by serial number, by key id (ssh-keygen -I), or by the certified key. Sessions
that they are logged in with are cut off within a second.`,
    )
    .argument('<org>')
    .option('--serial <number>', 'serial number (ssh-keygen -z)')
    .option('--id <name>', 'key id (ssh-keygen -I)')
    .option('--key <file>', 'the public key, or its SHA256:… fingerprint')
    .option('--ca <fingerprint>', 'only those that this authority signed (default: any of the organization)')
    .addHelpText(
      'after',
      examples('dropslot keys revoke-cert acme --serial 42', 'dropslot keys revoke-cert acme --key SHA256:pX3k…'),
    )
    .action((id: string, { ca, key, ...choice }: CertificateOptions, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const mark = await revokeCertificates(workplace, id, {
          ...choice,
          ...(key !== undefined && { key: key.startsWith('SHA256:') ? key : readKeyFile(key) }),
          ...(ca !== undefined && { authority: ca }),
        });
        await out.show({ org: id, ...mark }, `Revoked every certificate of ${id} with the ${mark.kind} ${mark.value}.`);
      }),
    );
  keys
    .command('revoked-certs')
    .summary('list the certificates that are revoked')
    .description('Lists the certificates of an organization that were revoked before their time.')
    .argument('<org>')
    .addHelpText('after', examples('dropslot keys revoked-certs acme'))
    .action((id: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        await out.list(await listRevoked(workplace, id), {
          columns: [
            { title: 'BY', cell: (mark) => mark.kind },
            { title: 'VALUE', cell: (mark) => mark.value },
            { title: 'AUTHORITY', cell: (mark) => mark.authority || 'any' },
            { title: 'SINCE', cell: (mark) => formatTime(mark.at) },
          ],
          empty: `No certificate of ${id} is revoked.`,
          toJson: ({ at, ...mark }) => ({ ...mark, at: isoTime(at) }),
        });
      }),
    );
}
