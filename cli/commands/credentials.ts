/** `dropslot keys password`, `revoke-cert` and `revoked-certs`: credentials other than plain keys. */
import type { Command } from 'commander';
import { addPassword, listRevoked, revokeCertificates } from '../../operations/credentials.js';
import { OperationError } from '../../operations/error.js';
import { formatTime, isoTime } from '../../operations/format.js';
import { type KeyTermTexts, readTerms } from '../../operations/keyterms.js';
import { atControl, examples } from '../command.js';
import { readInputBytes } from '../localfiles.js';
import { addTermOptions } from './keyterms.js';

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
    .summary('generate a password, for a client that supports no keys')
    .description(
      `Generates a long random password and prints it once; only its hash is stored. While any organization has a password,
the server offers password login to the clients of all organizations. Prefer a key: it is never sent to a server.`,
    )
    .argument('<org>')
    .option('--generate', 'generate it (passwords can not be chosen)');
  addTermOptions(password)
    .addHelpText('after', examples('dropslot keys password acme --generate --from 192.0.2.7 --expires 2027-12-31'))
    .action((id: string, { generate, ...texts }: KeyTermTexts & { generate?: boolean }, command: Command) =>
      atControl(command, async (workplace, out) => {
        if (generate !== true)
          throw new OperationError('usage', 'passwords are generated, never chosen: use --generate');
        const org = await workplace.org(id);
        const { key, password: text } = await addPassword(
          workplace,
          id,
          readTerms(texts, org.timeZone, workplace.now()),
        );
        out.note(`This password is shown only once. To revoke it: dropslot keys revoke ${id} ${key.fingerprint}`);
        await out.show({ fingerprint: key.fingerprint, password: text, expiresAt: isoTime(key.expiresAt) }, text);
      }),
    );
}

function registerCertificates(keys: Command): void {
  keys
    .command('revoke-cert')
    .summary('stop certificates from logging in')
    .description(
      `Revokes certificates before they expire: by serial number, by key id (ssh-keygen -I), or by the certified key. Their open
sessions end within a second.`,
    )
    .argument('<org>')
    .option('--serial <number>', 'serial number (ssh-keygen -z)')
    .option('--id <name>', 'key id (ssh-keygen -I)')
    .option('--key <file>', 'the public key, or its SHA256:… fingerprint')
    .option('--ca <fingerprint>', 'only certificates of this authority (default: of any authority of the organization)')
    .addHelpText(
      'after',
      examples('dropslot keys revoke-cert acme --serial 42', 'dropslot keys revoke-cert acme --key SHA256:pX3k…'),
    )
    .action((id: string, { ca, key, ...choice }: CertificateOptions, command: Command) =>
      atControl(command, async (workplace, out) => {
        const mark = await revokeCertificates(workplace, id, {
          ...choice,
          ...(key !== undefined && { key: key.startsWith('SHA256:') ? key : readInputBytes(key) }),
          ...(ca !== undefined && { authority: ca }),
        });
        await out.show({ org: id, ...mark }, `Revoked every certificate of ${id} with the ${mark.kind} ${mark.value}.`);
      }),
    );
  keys
    .command('revoked-certs')
    .summary('list revoked certificates')
    .description('Lists the certificates of an organization that were revoked before they expired.')
    .argument('<org>')
    .addHelpText('after', examples('dropslot keys revoked-certs acme'))
    .action((id: string, _options, command: Command) =>
      atControl(command, async (workplace, out) => {
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
