/** Renders the sheet for a new customer: how to make a key, where to connect, and what to send. */
import type { Org } from '../../db/control/orgs.js';
import { oneLine } from '../outside.js';
import { describeFiles, describeTimes, folderRows, renderTable, wrap } from './readme.js';

export interface WelcomeFacts {
  org: Pick<Org, 'id' | 'name' | 'enabled' | 'slot' | 'timeZone' | 'options'>;
  address: { host: string; port: number };
  hostKeys: readonly ShownHostKey[];
  /** Whom its people ask; null: no contact is set. */
  contact: string | null;
  /** Milliseconds since 1970. */
  nextSlotAt: number;
}

export interface ShownHostKey {
  type: string;
  state: 'active' | 'announced' | 'retired';
  /** `SHA256:…` */
  fingerprint: string;
  knownHosts?: string;
}

const typeNames: Readonly<Record<string, string>> = {
  'ssh-ed25519': 'Ed25519',
  'ecdsa-sha2-nistp256': 'ECDSA',
  'ssh-rsa': 'RSA',
};

/** Lines of at most 80 columns, but for that of known_hosts, which must be one line. */
export function renderWelcome({ org, address: { host, port }, hostKeys, contact, nextSlotAt }: WelcomeFacts): string {
  const { id } = org;
  const whom = contact === null ? 'the people who gave you this sheet' : oneLine(contact);
  const portOption = port === 22 ? '' : ` -P ${port}`;
  const known = hostKeys.find(({ type, state }) => type === 'ssh-ed25519' && state === 'active') ?? hostKeys[0]!;
  return `${[
    ...wrap(`Sending files of ${oneLine(org.name)} by SFTP`),
    '',
    'CONNECTION',
    ...renderTable([
      ['Host', host],
      ['Port', String(port)],
      ['User', id],
      ['Protocol', 'SFTP (not FTP, not FTPS)'],
      ['Login', 'with a key; there is no password'],
      ...limitRows(org),
    ]),
    '',
    '1. MAKE A KEY',
    ...wrap('Make it on the machine that sends the files. The private key never leaves it.'),
    '',
    '  Linux, macOS, and Windows with OpenSSH:',
    `    ssh-keygen -t ed25519 -f ${id}`,
    ...wrap(`  This makes ${id} (the private key) and ${id}.pub (the public key).`),
    '',
    '  PuTTY, WinSCP, FileZilla on Windows:',
    ...wrap(
      '  Start PuTTYgen, choose EdDSA (Ed25519), and click Generate. "Save private key" makes the file (.ppk) for your program. "Save public key" makes the file to send.',
      2,
    ),
    '',
    '2. SEND THE PUBLIC KEY',
    ...wrap(
      `Send only the public key, to ${whom}. Never send the private key. Wait until you hear that the key is registered.`,
    ),
    '',
    '3. CHECK THE SERVER',
    ...wrap(
      'At the first connection your program shows the fingerprint of the server. Continue only if it is one of these:',
    ),
    ...hostKeys.flatMap(describeHostKey),
    '',
    ...wrap('OpenSSH checks it by itself if this line is in the file ~/.ssh/known_hosts:'),
    known.knownHosts!,
    '',
    '4. CONNECT',
    `  sftp -i ${id}${portOption} ${id}@${host}`,
    ...wrap(`In other programs: protocol SFTP, the host, port and user above, and the private key.`),
    '',
    '5. SEND A FIRST FILE',
    ...wrap('1. Get /templates/users.csv, and fill it in.', 3),
    ...wrap('2. Put it into /dry-run. Nothing is imported; after about a minute, /reports has the result.', 3),
    ...wrap('3. If the result is right, put the file into /.', 3),
    '',
    'FOLDERS',
    ...renderTable(folderRows),
    '',
    'FILES',
    ...describeFiles(org).flatMap((text) => wrap(`- ${text}`, 2)),
    '',
    'WHEN FILES ARE IMPORTED',
    ...(org.enabled ? describeTimes(org, nextSlotAt) : ['After your access is enabled.']).flatMap((text) => wrap(text)),
    '',
    'QUESTIONS',
    ...wrap(`Ask ${whom}.`),
  ].join('\n')}\n`;
}

function describeHostKey({ type, state, fingerprint }: ShownHostKey): string[] {
  const later = state === 'announced' ? ['    (the server will use this one later)'] : [];
  return [`  ${(typeNames[type] ?? type).padEnd(9)}${fingerprint}`, ...later];
}

/** From where and when the organization may log in, where that is limited. */
function limitRows({ options: { addresses = [], hours }, timeZone }: WelcomeFacts['org']): [string, string][] {
  return [
    ...(addresses.length === 0 ? [] : ([['From', addresses.join(', ')]] as [string, string][])),
    ...(hours === undefined ? [] : ([['Hours', `${oneLine(hours)}, time zone ${timeZone}`]] as [string, string][])),
  ];
}
