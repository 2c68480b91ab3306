/** `dropslot keys …`: giving, listing, changing and revoking. */
import type { Command } from 'commander';
import { listLoginKeys } from '../../db/control/keys.js';
import { readKeyChange, readTerms, remarkKeys } from '../../operations/keyterms.js';
import { addKeys, findKey, revokeKey, setKey } from '../../operations/loginkeys.js';
import { atWorkplace, examples } from '../command.js';
import { addedToJson, keyList, keyToJson, renderKey } from '../views/keys.js';
import { registerCredentials } from './credentials.js';
import { registerKeyRotation } from './keyrotation.js';
import { noteAdded, readKeyFile, type TermOptions, withTerms } from './keyterms.js';

interface ManagedOptions {
  managed?: boolean;
}

const fingerprintText = 'SHA256:…, or as much of its beginning as no other key shares';

export function registerKeys(program: Command): void {
  const keys = program
    .command('keys')
    .description('add, list, change, rotate and revoke the keys that organizations log in with');
  registerAdd(keys);
  registerAuthority(keys);
  registerRead(keys);
  registerKeyRotation(keys);
  registerChange(keys);
  registerCredentials(keys);
}

function registerAdd(keys: Command): void {
  const add = keys
    .command('add')
    .summary('let a public key log in')
    .description(
      `Lets the public keys of a file log in as an organization: Ed25519, ECDSA, RSA of 2048 bits or more, and their
hardware-token (sk-…) forms. Options before a key (from=, expiry-time=, permission=, cert-authority) are honoured.`,
    )
    .argument('<org>')
    .argument('<file>', 'public keys as OpenSSH, PuTTY or RFC 4716 write them; - reads standard input');
  withTerms(add)
    .addHelpText(
      'after',
      examples(
        'dropslot keys add acme ./acme.pub --label "Workday export" --permission upload-only',
        'dropslot keys add acme - --expires 2027-12-31 --from 192.0.2.0/24 < acme.pub',
      ),
    )
    .action((id: string, file: string, options: TermOptions, command: Command) =>
      addFile(id, file, options, command, false),
    );
}

function registerAuthority(keys: Command): void {
  const add = keys
    .command('add-ca')
    .summary('let the certificates of an authority log in')
    .description(
      `Lets user certificates log in that are signed by the keys of a file (ssh-keygen -s) and carry the organization's id
as a principal, or one of --principals.`,
    )
    .argument('<org>')
    .argument('<file>', "the authority's public key; - reads standard input");
  withTerms(add)
    .option('--principals <names>', "names, one of which a certificate must carry (default: the organization's id)")
    .addHelpText('after', examples('dropslot keys add-ca acme ./acme-ca.pub --label "Acme IT"'))
    .action((id: string, file: string, options: TermOptions, command: Command) =>
      addFile(id, file, options, command, true),
    );
}

function addFile(
  id: string,
  file: string,
  { publicPart, allowSha1, ...texts }: TermOptions,
  command: Command,
  isAuthority: boolean,
): Promise<void> {
  return atWorkplace(command, async (workplace, out) => {
    const org = await workplace.org(id);
    const sha1 = allowSha1 === true ? { sha1: 'on' } : {};
    const terms = readTerms({ ...texts, ...sha1 }, org.timeZone, workplace.now());
    const options = { isAuthority, publicPart: publicPart === true };
    const added = await addKeys(workplace, id, readKeyFile(file), terms, options);
    noteAdded(added, out);
    const lines = added.map((key) => `Added ${key.fingerprint} (${key.algorithm}) to ${id}.`);
    if (!org.enabled) lines.push(`${id} is disabled: dropslot orgs enable ${id}`);
    await out.show(added.map(addedToJson), lines.join('\n'));
  });
}

function registerRead(keys: Command): void {
  keys
    .command('list')
    .summary('list the keys of an organization')
    .description(
      'Lists the keys of an organization, with when and from where each was used last, and who uses an old one.',
    )
    .argument('<org>')
    .addHelpText('after', examples('dropslot keys list acme'))
    .action((id: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const org = await workplace.org(id);
        const found = await listLoginKeys(workplace.control.read, org.id);
        await out.list(found, keyList(id, workplace.now()));
        for (const remark of remarkKeys(found, workplace.now())) out.note(remark);
      }),
    );
  keys
    .command('show')
    .summary('show all about one key')
    .description('Shows a key: its terms, its state, and its first and last use.')
    .argument('<org>')
    .argument('<fingerprint>', fingerprintText)
    .addHelpText('after', examples('dropslot keys show acme SHA256:pX3k'))
    .action((id: string, fingerprint: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const key = await findKey(workplace, id, fingerprint);
        await out.show(keyToJson(key, workplace.now()), renderKey(key, workplace.now()));
      }),
    );
}

function registerChange(keys: Command): void {
  keys
    .command('set')
    .summary('change the terms of a key')
    .description(
      `Changes the terms of a key: label, note, notBefore (a date, or "now"), expires (a date, or "never"), from (address
ranges, or "any"), permission (upload-only, upload-and-read), sha1 (on, off), principals (of an authority). It takes effect at once, also
for who is logged in.`,
    )
    .argument('<org>')
    .argument('<fingerprint>', fingerprintText)
    .argument('<key=value...>')
    .option('--managed', 'also when it belongs to a file of the folder of keys')
    .addHelpText(
      'after',
      examples(
        'dropslot keys set acme SHA256:pX3k from=192.0.2.0/24 expires=2027-12-31',
        'dropslot keys set acme SHA256:pX3k permission=upload-only "note=asked for by Jane"',
      ),
    )
    .action((id: string, prefix: string, assignments: string[], { managed }: ManagedOptions, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const { timeZone } = await workplace.org(id);
        const change = readKeyChange(assignments, timeZone, workplace.now());
        const key = await setKey(workplace, id, prefix, change, managed === true);
        await out.show(keyToJson(key, workplace.now()), renderKey(key, workplace.now()));
      }),
    );
  keys
    .command('revoke')
    .summary('let a key log in no longer')
    .description('Revokes a key: it can log in no longer, and whoever is logged in with it is cut off within a second.')
    .argument('<org>')
    .argument('<fingerprint>', fingerprintText)
    .option('--managed', 'also when it belongs to a file of the folder of keys')
    .addHelpText('after', examples('dropslot keys revoke acme SHA256:pX3k'))
    .action((id: string, fingerprint: string, { managed }: ManagedOptions, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const key = await revokeKey(workplace, id, fingerprint, managed === true);
        if (key.managedBy !== null) out.note(`Its file ${key.managedBy} is still there: remove it, too.`);
        await out.show(keyToJson(key, workplace.now()), `Revoked ${key.fingerprint} of ${id}.`);
      }),
    );
}
