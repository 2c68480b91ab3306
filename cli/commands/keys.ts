/** `dropslot keys …`: add, list, change and revoke login keys. */

import type { Command } from 'commander';
import { listConnections, mostConnections } from '../../operations/connections.js';
import { addedToJson, keyToJson } from '../../operations/forms/keys.js';
import { readKeyChange, readTerms } from '../../operations/keyterms.js';
import { addKeys, listKeys, revokeKey, setKey, showKey } from '../../operations/loginkeys.js';
import { atControl, examples } from '../command.js';
import { readInputBytes } from '../localfiles.js';
import { connectionList, keyList, renderKey } from '../views/keys.js';
import { registerCredentials } from './credentials.js';
import { registerKeyRotation } from './keyrotation.js';
import { noteAdded, type TermOptions, withTerms } from './keyterms.js';

interface ManagedOptions {
  managed?: boolean;
}

const fingerprintText = 'SHA256:…, or its beginning of four characters or more, if only one key has it';

export function registerKeys(program: Command): void {
  const keys = program
    .command('keys')
    .summary('login keys of organizations')
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
    .summary('allow a public key to log in')
    .description(
      `Allows the public keys of a file to log in as an organization: Ed25519, ECDSA, RSA of 2048 bits or more, and their
hardware-token (sk-…) forms. Options before a key (from=, expiry-time=, permission=, cert-authority) apply.`,
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
    .summary('allow the certificates of an authority to log in')
    .description(
      `Allows user certificates to log in that the keys of a file signed (ssh-keygen -s) and that have the organization's id,
or one of --principals, as a principal.`,
    )
    .argument('<org>')
    .argument('<file>', "the authority's public key; - reads standard input");
  withTerms(add)
    .option('--principals <names>', "names, one of which a certificate must have (default: the organization's id)")
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
  return atControl(command, async (workplace, out) => {
    const org = await workplace.org(id);
    const sha1 = allowSha1 === true ? { sha1: 'on' } : {};
    const terms = readTerms({ ...texts, ...sha1 }, org.timeZone, workplace.now());
    const options = { isAuthority, publicPart: publicPart === true };
    const added = await addKeys(workplace, id, readInputBytes(file), terms, options);
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
      'Lists the keys of an organization with the time and address of their last use, and notes replaced keys still in use.',
    )
    .argument('<org>')
    .addHelpText('after', examples('dropslot keys list acme'))
    .action((id: string, _options, command: Command) =>
      atControl(command, async (workplace, out) => {
        const { keys: found, remarks } = await listKeys(workplace, id);
        await out.list(found, keyList(id));
        for (const remark of remarks) out.note(remark);
      }),
    );
  keys
    .command('connections')
    .summary('list the last logins and refusals of an organization')
    .description(
      `Lists the last logins with the keys of an organization, the newest first, and the refused ones with their reasons. Of each key
the last 20 logins and the last 20 refusals are kept, and the last 20 refusals of keys that the organization does not have.`,
    )
    .argument('<org>')
    .addHelpText('after', examples('dropslot keys connections acme', 'dropslot keys connections acme --json'))
    .action((id: string, _options, command: Command) =>
      atControl(command, async (workplace, out) =>
        out.list(await listConnections(workplace, id, mostConnections), connectionList(id)),
      ),
    );
  keys
    .command('show')
    .summary('show one key in full')
    .description('Shows the terms, the state, and the first and last use of a key.')
    .argument('<org>')
    .argument('<fingerprint>', fingerprintText)
    .addHelpText('after', examples('dropslot keys show acme SHA256:pX3k'))
    .action((id: string, fingerprint: string, _options, command: Command) =>
      atControl(command, async (workplace, out) => {
        const key = await showKey(workplace, id, fingerprint);
        await out.show(keyToJson(key), renderKey(key));
      }),
    );
}

function registerChange(keys: Command): void {
  keys
    .command('set')
    .summary('change the terms of a key')
    .description(
      `Changes the terms of a key: label, note, notBefore (a date, or "now"), expires (a date, or "never"), from (address
ranges, or "any"), permission (upload-only, upload-and-read), sha1 (on, off), principals (of an authority). The change takes effect at once,
also for sessions that are open.`,
    )
    .argument('<org>')
    .argument('<fingerprint>', fingerprintText)
    .argument('<key=value...>')
    .option('--managed', 'also if a file of the key folder manages the key')
    .addHelpText(
      'after',
      examples(
        'dropslot keys set acme SHA256:pX3k from=192.0.2.0/24 expires=2027-12-31',
        'dropslot keys set acme SHA256:pX3k permission=upload-only "note=asked for by Jane"',
      ),
    )
    .action((id: string, prefix: string, assignments: string[], { managed }: ManagedOptions, command: Command) =>
      atControl(command, async (workplace, out) => {
        const { timeZone } = await workplace.org(id);
        const change = readKeyChange(assignments, timeZone, workplace.now());
        const key = await setKey(workplace, id, prefix, change, managed === true);
        await out.show(keyToJson(key), renderKey(key));
      }),
    );
  keys
    .command('revoke')
    .summary('stop a key from logging in')
    .description('Revokes a key: it can no longer log in, and its open sessions end within a second.')
    .argument('<org>')
    .argument('<fingerprint>', fingerprintText)
    .option('--managed', 'also if a file of the key folder manages the key')
    .addHelpText('after', examples('dropslot keys revoke acme SHA256:pX3k'))
    .action((id: string, fingerprint: string, { managed }: ManagedOptions, command: Command) =>
      atControl(command, async (workplace, out) => {
        const key = await revokeKey(workplace, id, fingerprint, managed === true);
        if (key.managedBy !== null) out.note(`Its file ${key.managedBy} still exists: remove it as well.`);
        if (key.isLast)
          out.note(
            `It was the last key of ${id}, which cannot log in any more; add one with "dropslot keys add ${id} FILE".`,
          );
        await out.show(keyToJson(key), `Revoked ${key.fingerprint} of ${id}.`);
      }),
    );
}
