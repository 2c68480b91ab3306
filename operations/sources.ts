/** The SFTP servers of customers that files are fetched from: adding, testing and changing one. */
import { isIP } from 'node:net';
import ssh2 from 'ssh2';
import { createSilentLogger } from '../config/logger.js';
import { isPublicAddress } from '../config/publicaddress.js';
import { listTaken } from '../db/control/sourcefiles.js';
import {
  findSource,
  insertSource,
  type SftpConfig,
  type Source,
  type SourceChange,
  updateUnchangedSource,
} from '../db/control/sources.js';
import { generatePair } from '../keys/host/pair.js';
import { SourceError } from '../sources/error.js';
import type { Listed } from '../sources/place.js';
import { previewRound } from '../sources/round.js';
import { readEvery } from '../sources/schedule.js';
import { type SourceSecret, sealSecret } from '../sources/secret.js';
import { readHostKey } from '../sources/sftp/connection.js';
import { openPlace } from '../sources/work.js';
import {
  auditDoor,
  endAlarms,
  firstRound,
  readAfter,
  readInto,
  readPatterns,
  requireRoom,
  requireUnchanged,
  workDepsOf,
} from './doors.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

/** The values as they are written on the command line; undefined: not given. */
export interface SourceChoice {
  host?: string | undefined;
  port?: string | undefined;
  user?: string | undefined;
  hostKeys?: readonly string[] | undefined;
  path?: string | undefined;
  patterns?: readonly string[] | undefined;
  afterFetch?: string | undefined;
  when?: string | undefined;
  into?: string | undefined;
  allowPrivate?: boolean | undefined;
  legacyAlgorithms?: boolean | undefined;
  /** The text of a private key file. */
  key?: string | undefined;
  keyPassphrase?: string | undefined;
  password?: string | undefined;
  generateKey?: boolean | undefined;
}

const beforeSlot = 'before-slot';
/** An operator waits for a test; a round has `sourceRoundMinutes`. */
const mostListMs = 5 * 60_000;

const defaults: SftpConfig = {
  kind: 'sftp',
  ...{ host: '', port: 22, user: '', auth: 'key', publicKey: null, hostKeys: [], path: '.', patterns: [] },
  after: { kind: 'keep' },
  ...{ when: beforeSlot, into: '/', allowPrivate: false, legacyAlgorithms: false },
};

/** @throws OperationError */
export async function addSource(place: Workplace, orgId: string, choice: SourceChoice): Promise<Source> {
  const org = await place.org(orgId);
  await requireRoom(place, org);
  for (const [name, option] of [
    ['host', '--host'],
    ['user', '--user'],
    ['path', '--path'],
  ] as const)
    if (choice[name] === undefined) throw new OperationError('usage', `give ${option}`);
  const credential = readCredential(choice, choice.user!);
  if (credential === null)
    throw new OperationError('usage', 'give one of --key FILE, --password-file FILE and --generate-key');
  const config = readConfig({ ...defaults, ...credential.config }, choice);
  const secret = await sealSecret((await place.master()).recipient, credential.secret);
  const state = config.hostKeys.length > 0 ? 'active' : 'unconfirmed';
  const source = {
    org: org.id,
    config,
    secret,
    state,
    nextAt: firstRound(place, config, org),
    createdAt: place.now(),
  } as const;
  const id = await place.control.transact(async (tx) => {
    const made = await insertSource(tx, source);
    await auditDoor(tx, place, { ...source, id: made }, 'added', describe(config));
    return made;
  });
  return (await findSource(place.control.read, id))!;
}

/** Values that are not given remain. A new host key ends the alarm about the old one. @throws OperationError */
export async function setSource(place: Workplace, source: Source<SftpConfig>, choice: SourceChoice): Promise<Source> {
  const credential = readCredential(choice, choice.user ?? source.config.user);
  const config = readConfig({ ...source.config, ...credential?.config }, choice);
  const isMoved = config.host !== source.config.host || config.port !== source.config.port;
  // Another server has another key.
  const hostKeys = isMoved && choice.hostKeys === undefined ? [] : config.hostKeys;
  const changed = { ...config, hostKeys };
  if (credential === null && JSON.stringify(changed) === JSON.stringify(source.config))
    throw new OperationError('usage', 'give at least one value to change; see "dropslot sources set --help"');
  const org = await place.org(source.org);
  const state =
    source.state === 'disabled' ? 'disabled' : hostKeys.length > 0 ? stateAfter(source, choice) : 'unconfirmed';
  const secret =
    credential === null ? source.secret : await sealSecret((await place.master()).recipient, credential.secret);
  const change: SourceChange = {
    ...{ config: changed, secret, state, failures: 0, failure: null, failureCode: null, failedAt: null },
    nextAt: source.failures > 0 ? place.now() : firstRound(place, changed, org),
  };
  await place.control.transact(async (tx) => {
    await requireUnchanged(updateUnchangedSource(tx, source, change), source);
    if (state !== 'host_key_changed') await endAlarms(tx, place, source);
    await auditDoor(tx, place, source, 'changed', { ...describe(changed), secret: credential !== null });
  });
  return (await findSource(place.control.read, source.id))!;
}

function stateAfter({ state }: Source, { hostKeys }: SourceChoice) {
  return state === 'host_key_changed' && hostKeys === undefined ? state : 'active';
}

export interface SourceTest {
  hostKey: { fingerprint: string; type: string } | null;
  /** Whether it is the confirmed one, or was confirmed now. */
  isConfirmed: boolean;
  address: string | null;
  /** Regular files in the folder, those that match and were taken before, and those that would be taken. */
  names: number;
  known: number;
  wouldTake: Listed[];
}

/**
 * Connects, has an unknown host key confirmed, logs in, and lists; takes nothing.
 * @param confirm whether the key that the server shows is the customer's; asked only when none is confirmed yet
 * @throws OperationError
 */
export async function testSource(
  place: Workplace,
  source: Source<SftpConfig>,
  confirm: (hostKey: { fingerprint: string; type: string }) => Promise<boolean>,
  listMs = mostListMs,
): Promise<SourceTest> {
  const { config } = source;
  const org = await place.org(source.org);
  let [hostKey, confirmed]: [SourceTest['hostKey'], SftpConfig] = [null, config];
  try {
    if (config.hostKeys.length === 0) {
      const shown = await readHostKey(config, { idleMs: place.settings.sourceIdleSeconds * 1000 });
      hostKey = { fingerprint: shown.fingerprint, type: shown.type };
      if (!(await confirm(hostKey)))
        return { hostKey, isConfirmed: false, address: shown.address, names: 0, known: 0, wouldTake: [] };
      confirmed = { ...config, hostKeys: [shown.fingerprint] };
      await confirmHostKey(place, source, confirmed, hostKey.fingerprint);
    }
    const tested = { ...source, config: confirmed };
    const opened = await openPlace(workDepsOf(place, createSilentLogger()), tested);
    const late = AbortSignal.timeout(listMs);
    const interrupt = () => opened.interrupt();
    late.addEventListener('abort', interrupt);
    try {
      const preview = await previewRound(opened, tested, org, await listTaken(place.control.read, source.id));
      const { names, known, wanted } = preview;
      return { hostKey, isConfirmed: true, address: opened.address, names, known, wouldTake: wanted };
    } catch (cause) {
      if (!late.aborted) throw cause;
      const reason = `the server ${config.host} did not list the folder ${config.path} within ${listMs / 1000} s`;
      throw new SourceError('timeout', reason, { cause });
    } finally {
      late.removeEventListener('abort', interrupt);
      await opened.close();
    }
  } catch (error) {
    throw describeFailure(error, source);
  }
}

async function confirmHostKey(
  place: Workplace,
  source: Source,
  config: SftpConfig,
  fingerprint: string,
): Promise<void> {
  const isActive = source.state === 'unconfirmed';
  await place.control.transact(async (tx) => {
    const change: SourceChange = { config, ...(isActive && { state: 'active' }) };
    await requireUnchanged(updateUnchangedSource(tx, source, change), source);
    await endAlarms(tx, place, source);
    await auditDoor(tx, place, source, 'host_key_confirmed', { hostKey: fingerprint });
  });
}

/** The advice about a failure of a source; null: there is none. */
export function adviceFor(code: string, id: number): string | null {
  if (code === 'host_key')
    return `ask the customer whether the server has a new key; only if so: dropslot sources set ${id} --host-key SHA256:…`;
  if (code === 'login')
    return `check the user name, and that the customer has entered the public key of "dropslot sources show ${id}"`;
  return null;
}

function describeFailure(error: unknown, { id }: Source): unknown {
  if (!(error instanceof SourceError)) return error;
  const advice = adviceFor(error.code, id);
  return new OperationError('failed', advice === null ? error.message : `${error.message}: ${advice}`, {
    cause: error,
  });
}

function readConfig(config: SftpConfig, choice: SourceChoice): SftpConfig {
  const { afterFetch, when, into, patterns, hostKeys } = choice;
  const read: SftpConfig = {
    ...config,
    ...(choice.host !== undefined && { host: readHost(choice.host) }),
    ...(choice.port !== undefined && { port: readPort(choice.port) }),
    ...(choice.user !== undefined && { user: readText(choice.user, 'user name') }),
    ...(choice.path !== undefined && { path: readText(choice.path, 'folder') }),
    ...(patterns !== undefined && { patterns: readPatterns(patterns) }),
    ...(hostKeys !== undefined && { hostKeys: hostKeys.map(readFingerprint) }),
    ...(afterFetch !== undefined && { after: readAfter(afterFetch, 'sftp') }),
    ...(when !== undefined && { when: readWhen(when) }),
    ...(into !== undefined && { into: readInto(into) }),
    ...(choice.allowPrivate !== undefined && { allowPrivate: choice.allowPrivate }),
    ...(choice.legacyAlgorithms !== undefined && { legacyAlgorithms: choice.legacyAlgorithms }),
  };
  const plain = (path: string) => path.replace(/\/+$/, '') || '/';
  const isSame =
    read.after.kind === 'move' && (plain(read.after.to) === plain(read.path) || plain(read.after.to) === '.');
  if (isSame)
    throw new OperationError('usage', 'files must be moved to another folder than the one they are fetched from');
  // Of a name the addresses are checked with each connection.
  if (!read.allowPrivate && isIP(read.host) !== 0 && !isPublicAddress(read.host))
    throw new OperationError(
      'usage',
      `${read.host} is a private or loopback address: if this is intended, allow it with --allow-private`,
    );
  return read;
}

function readHost(host: string): string {
  if (isIP(host) !== 0 || /^[a-z0-9]([a-z0-9._-]{0,252})$/i.test(host)) return host;
  throw new OperationError('usage', `"${host}" is not a host name or an address (give the port with --port)`);
}

function readPort(port: string): number {
  if (/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535) return Number(port);
  throw new OperationError('usage', `"${port}" is not a port from 1 to 65535`);
}

function readText(text: string, name: string): string {
  if (text !== '' && text.length <= 1000 && !/\p{Cc}/u.test(text)) return text;
  throw new OperationError('usage', `the ${name} is empty, too long, or has control characters`);
}

function readWhen(when: string): string {
  if (when === beforeSlot || readEvery(when) !== null) return when;
  throw new OperationError(
    'usage',
    `"${when}" is neither before-slot nor every:N with minutes or hours, such as every:30m, at most every:24h`,
  );
}

function readFingerprint(text: string): string {
  const plain = text.trim().replace(/=+$/, '');
  if (/^SHA256:[A-Za-z0-9+/]{43}$/.test(plain)) return plain;
  throw new OperationError(
    'usage',
    `"${text}" is not a fingerprint such as SHA256:… with 43 characters, as "ssh-keygen -lf" prints it`,
  );
}

interface Credential {
  config: Pick<SftpConfig, 'auth' | 'publicKey'>;
  secret: SourceSecret;
}

/** null: none is given. @throws OperationError `usage` */
function readCredential({ key, keyPassphrase, password, generateKey }: SourceChoice, user: string): Credential | null {
  const given = [key !== undefined, password !== undefined, generateKey === true].filter(Boolean).length;
  if (given > 1) throw new OperationError('usage', 'give only one of --key, --password-file and --generate-key');
  if (generateKey === true) {
    const pair = generatePair('ed25519');
    const publicKey = `${pair.public.trim().split(' ').slice(0, 2).join(' ')} dropslot-${user.replace(/[^\w.-]/g, '_')}`;
    return { config: { auth: 'key', publicKey }, secret: { privateKey: pair.private } };
  }
  if (password !== undefined) {
    const line = password.replace(/\r?\n$/, '');
    if (line === '' || line.length > 1000 || /[\r\n]/.test(line))
      throw new OperationError('usage', 'the password file must have one line');
    return { config: { auth: 'password', publicKey: null }, secret: { password: line } };
  }
  return key === undefined ? null : readKey(key, keyPassphrase);
}

function readKey(text: string, passphraseText: string | undefined): Credential {
  const passphrase = passphraseText?.replace(/\r?\n$/, '');
  const parsed = ssh2.utils.parseKey(text, passphrase);
  if (parsed instanceof Error) {
    const hint = /encrypted|passphrase|integrity/i.test(parsed.message)
      ? ': give its passphrase with --key-passphrase-file'
      : '';
    throw new OperationError('usage', `the private key can't be read (${parsed.message})${hint}`);
  }
  const one = Array.isArray(parsed) ? parsed[0]! : parsed;
  if (!one.isPrivateKey()) throw new OperationError('usage', 'this is a public key: --key needs the private key');
  const publicKey = `${one.type} ${one.getPublicSSH().toString('base64')}`;
  return {
    config: { auth: 'key', publicKey },
    secret: { privateKey: text, ...(passphrase !== undefined && { passphrase }) },
  };
}

/** For the audit trail: no secret. */
function describe({ host, port, user, auth, hostKeys, path, when, after }: SftpConfig): Record<string, unknown> {
  return { host, port, user, auth, hostKeys, path, when, after: after.kind };
}
