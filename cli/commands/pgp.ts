/** `dropslot pgp …`: the OpenPGP keys of organizations. */
import { type Command, Option } from 'commander';
import { OperationError } from '../../operations/error.js';
import { formatTime } from '../../operations/format.js';
import { pgpKeyToJson } from '../../operations/forms/keys.js';
import {
  exportPublicPgpKey,
  generateOwnPgpKey,
  importPgpKey,
  listPgp,
  type PgpKeyType,
  type PgpKeyView,
  pgpKeyTypes,
  readPgpExpiry,
  revokePgpKey,
  rotatePgpKey,
} from '../../operations/pgp.js';
import { atControl, examples } from '../command.js';
import { readInputBytes } from '../localfiles.js';
import type { ListView } from '../output.js';

const dayMs = 86_400_000;

interface MakeOptions {
  type: PgpKeyType;
  expires?: string;
}

const handOver = (org: string) =>
  `Hand its public key to the customer: it is in /templates as pgp-public-key.asc, and "dropslot pgp export-public ${org}" prints it.`;

export function registerPgp(program: Command): void {
  const pgp = program
    .command('pgp')
    .summary('keys for files that are encrypted with PGP')
    .description('make, import, list, publish, rotate and revoke the OpenPGP keys of organizations');
  registerGenerate(pgp);
  registerImport(pgp);
  registerList(pgp);
  registerExport(pgp);
  registerRotate(pgp);
  registerRevoke(pgp);
}

function withMaking(command: Command): Command {
  return command
    .argument('<org>')
    .addOption(new Option('--type <type>', 'the kind of key').choices(pgpKeyTypes).default('rsa3072'))
    .option('--expires <date>', 'the last day of the key, or never (default: in two years)');
}

function registerGenerate(pgp: Command): void {
  withMaking(pgp.command('generate').summary('make a key to which files are encrypted'))
    .description(
      `Makes an OpenPGP key of an organization. Files that are encrypted to it are decrypted when they are imported. Its private
key is sealed to the identity of the organization. An organization may have several keys.`,
    )
    .addHelpText(
      'after',
      examples('dropslot pgp generate acme', 'dropslot pgp generate acme --type curve25519 --expires 2028-12-31'),
    )
    .action((id: string, { type, expires }: MakeOptions, command: Command) =>
      atControl(command, async (workplace, out) => {
        const key = await generateOwnPgpKey(workplace, id, {
          type,
          expiresAt: await readPgpExpiry(workplace, id, expires),
        });
        await out.show(
          pgpKeyToJson(key),
          `Made the key ${key.fingerprint} (${key.algorithm}) of ${id}.\n${handOver(id)}`,
        );
      }),
    );
}

function registerImport(pgp: Command): void {
  pgp
    .command('import')
    .summary('add a private key of your own, or a public key of the customer')
    .description(
      `Adds an OpenPGP key from a file. A private key becomes a key of the organization, to which files are encrypted. A public key
is one of the customer's: "orgs set" lets you require its signatures (requireSignature), and encrypt reports to it (reportsTo).`,
    )
    .argument('<org>')
    .argument('<file>', 'one key, in armor or binary; - reads standard input')
    .option('--passphrase-file <file>', 'a file with the passphrase of the private key')
    .addHelpText(
      'after',
      examples(
        'dropslot pgp import acme ./acme-signing-key.asc',
        'dropslot pgp import acme ./our-key.asc --passphrase-file ./passphrase',
      ),
    )
    .action((id: string, file: string, { passphraseFile }: { passphraseFile?: string }, command: Command) =>
      atControl(command, async (workplace, out) => {
        const passphrase =
          passphraseFile === undefined
            ? null
            : readInputBytes(passphraseFile)
                .toString('utf8')
                .replace(/\r?\n$/, '');
        const key = await importPgpKey(workplace, id, readInputBytes(file), passphrase);
        const next =
          key.kind === 'own'
            ? handOver(id)
            : `Require its signatures: dropslot orgs set ${id} requireSignature=${key.fingerprint}\nEncrypt reports to it:   dropslot orgs set ${id} reportsTo=${key.fingerprint}`;
        const whose = key.kind === 'own' ? 'a key of the organization' : 'a key of the customer';
        await out.show(
          pgpKeyToJson(key),
          `Added ${key.fingerprint} (${key.algorithm}, ${key.userId}) to ${id} as ${whose}.\n${next}`,
        );
      }),
    );
}

function registerList(pgp: Command): void {
  pgp
    .command('list')
    .summary('list the keys of an organization')
    .description("Lists the organization's own OpenPGP keys and those of its customer.")
    .argument('<org>')
    .addHelpText('after', examples('dropslot pgp list acme', 'dropslot pgp list acme --json'))
    .action((id: string, _options, command: Command) =>
      atControl(command, async (workplace, out) => out.list(await listPgp(workplace, id), keyList(id))),
    );
}

function registerExport(pgp: Command): void {
  pgp
    .command('export-public')
    .summary('print the public key for the customer')
    .description('Prints a public key in armor: the newest active key of the organization, or the one that you name.')
    .argument('<org>')
    .argument('[fingerprint]', 'a fingerprint, its beginning, or a key id')
    .addHelpText('after', examples('dropslot pgp export-public acme > acme-dropslot.asc'))
    .action((id: string, fingerprint: string | undefined, _options, command: Command) =>
      atControl(command, async (workplace, out) => {
        const key = await exportPublicPgpKey(workplace, id, fingerprint);
        await out.show({ org: id, ...key }, key.publicKey.trimEnd());
      }),
    );
}

function registerRotate(pgp: Command): void {
  withMaking(pgp.command('rotate').summary('make a new key, and end the old ones after some time'))
    .description(
      `Makes a new key of the organization, and publishes it. Files that are encrypted to the old keys are still read for
--overlap days, so that the customer has time to change to the new one.`,
    )
    .option('--overlap <days>', 'days for which the old keys are still accepted', '30')
    .addHelpText('after', examples('dropslot pgp rotate acme', 'dropslot pgp rotate acme --overlap 90'))
    .action((id: string, { type, expires, overlap }: MakeOptions & { overlap: string }, command: Command) =>
      atControl(command, async (workplace, out) => {
        if (!/^\d{1,4}d?$/.test(overlap))
          throw new OperationError('usage', `--overlap must be a number of days such as 30, not "${overlap}"`);
        const expiresAt = await readPgpExpiry(workplace, id, expires);
        const { made, ending } = await rotatePgpKey(workplace, id, {
          type,
          expiresAt,
          overlapMs: Number.parseInt(overlap, 10) * dayMs,
        });
        const lines = [`Made the key ${made.fingerprint} (${made.algorithm}) of ${id}.`, handOver(id)];
        for (const old of ending) lines.push(`${old.fingerprint} is accepted until ${formatTime(old.expiresAt)}.`);
        await out.show({ ...pgpKeyToJson(made), ending: ending.map(pgpKeyToJson) }, lines.join('\n'));
      }),
    );
}

function registerRevoke(pgp: Command): void {
  pgp
    .command('revoke')
    .summary('stop accepting a key')
    .description('Refuses files that are encrypted to the key, or signed with it, from now on.')
    .argument('<org>')
    .argument('<fingerprint>', 'a fingerprint, its beginning, or a key id')
    .addHelpText('after', examples('dropslot pgp revoke acme 0123456789ABCDEF'))
    .action((id: string, fingerprint: string, _options, command: Command) =>
      atControl(command, async (workplace, out) => {
        const key = await revokePgpKey(workplace, id, fingerprint);
        await out.show(pgpKeyToJson(key), `Revoked ${key.fingerprint} of ${id}.`);
      }),
    );
}

const uses = { publish: 'published', signatures: 'signatures', reports: 'reports' };

function keyList(org: string): ListView<PgpKeyView> {
  return {
    columns: [
      { title: 'FINGERPRINT', cell: (key) => key.fingerprint },
      { title: 'WHOSE', cell: (key) => (key.kind === 'own' ? 'own' : 'customer') },
      { title: 'TYPE', cell: (key) => key.algorithm },
      { title: 'NAME', cell: (key) => key.userId },
      { title: 'STATE', cell: (key) => key.state },
      { title: 'USED FOR', cell: (key) => key.uses.map((use) => uses[use]).join(', ') },
      { title: 'EXPIRES', cell: (key) => formatTime(key.expiresAt) },
    ],
    empty: `${org} has no PGP keys: make one with "dropslot pgp generate ${org}".`,
    toJson: pgpKeyToJson,
  };
}
