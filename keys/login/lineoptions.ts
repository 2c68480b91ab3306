/** Reads the options before a key in a line of authorized_keys (sshd(8)): applies, ignores or refuses each. */
import { DateTime } from 'luxon';
import type { Permission } from '../../db/control/keys.js';
import { KeyError } from '../error.js';
import { parseSources } from './addresses.js';

/** The terms that a line states for its key. */
export interface LineTerms {
  isAuthority: boolean;
  /** CIDRs; null: the line states none. */
  sources: string[] | null;
  expiresAt: number | null;
  permission: Permission | null;
  principals: string[] | null;
  /** Options that have no meaning here. */
  ignored: string[];
}

/** The terms of a line without options. */
export const noTerms: LineTerms = {
  isAuthority: false,
  sources: null,
  expiresAt: null,
  permission: null,
  principals: null,
  ignored: [],
};

/** They forbid services that Dropslot does not offer. */
const alwaysTrue =
  /^(restrict|no-(pty|port-forwarding|agent-forwarding|x11-forwarding|user-rc)|command="?(internal-sftp|\S*\/sftp-server)"?)$/i;

/** They allow services that Dropslot does not offer. */
const needless =
  /^(pty|port-forwarding|agent-forwarding|x11-forwarding|user-rc|no-touch-required|(environment|permitopen|permitlisten|tunnel)=.*)$/i;

/** Options that may stand once: the second would override the first. */
const restricting: readonly string[] = ['from', 'expiry-time', 'permission', 'principals'];

/**
 * Splits a line into its options and the key behind them; a line without options is given back as it is.
 * @throws KeyError `refused` for an option that restricts and can't be honoured, `malformed` for a value that is none.
 */
export function readLineTerms(line: string, timeZone: string): { terms: LineTerms; key: string } {
  const terms: LineTerms = { ...noTerms, ignored: [] };
  const { options, rest } = splitOptions(line);
  const said = new Set<string>();
  for (const option of options) {
    const name = option.split('=')[0]!.toLowerCase();
    if (restricting.includes(name) && said.has(name))
      throw new KeyError('refused', `the option ${name} occurs twice: remove one of the two`);
    said.add(name);
    applyOption(option, terms, timeZone);
  }
  return { terms, key: rest };
}

function applyOption(option: string, terms: LineTerms, timeZone: string): void {
  const [, name = '', quoted] = /^([a-z0-9-]+)(?:=(.*))?$/is.exec(option) ?? [];
  const value = quoted?.replace(/^"(.*)"$/s, '$1').replaceAll('\\"', '"');
  const known = name.toLowerCase();
  if (known === 'cert-authority') terms.isAuthority = true;
  else if (known === 'from' && value !== undefined) terms.sources = readFrom(value);
  else if (known === 'expiry-time' && value !== undefined) terms.expiresAt = readExpiryTime(value, timeZone);
  else if (known === 'permission' && value !== undefined) terms.permission = readPermission(value);
  else if (known === 'principals' && value !== undefined)
    terms.principals = value.split(',').filter((one) => one !== '');
  else if (needless.test(option)) terms.ignored.push(known);
  else if (!alwaysTrue.test(option))
    throw new KeyError(
      'refused',
      `the option ${known || '?'} can't be honoured here; remove it, if the key may do without`,
    );
}

/** @throws KeyError `malformed` */
export function readPermission(value: string): Permission {
  if (value === 'upload-only') return 'upload';
  if (value === 'upload-and-read') return 'read';
  // Not taken for upload-and-read, as Dropslot calls it inside: it would give more than was asked for.
  if (/^read(-?only)?$/.test(value))
    throw new KeyError('malformed', `there is no permission "${value}": every key may upload; use upload-and-read`);
  throw new KeyError('malformed', `permission takes upload-only or upload-and-read, not "${value}"`);
}

/** Host names, patterns and exceptions can't be decided from an address. */
function readFrom(value: string): string[] {
  if (/[*?!]/.test(value))
    throw new KeyError('refused', "from= with * ? or ! can't be honoured: give address ranges, 192.0.2.0/24");
  const sources = parseSources(value);
  // An empty list would allow every address here, and allows none in sshd.
  if (sources.length === 0)
    throw new KeyError(
      'malformed',
      'from= without an address would refuse every login: name an address, or remove from=',
    );
  return sources;
}

/** YYYYMMDD or YYYYMMDDHHMM[SS], with a Z in UTC: from then on the key is expired, as in sshd. */
function readExpiryTime(value: string, timeZone: string): number {
  const [, digits = '', utc] = /^(\d{8}|\d{12}|\d{14})(Z?)$/.exec(value) ?? [];
  const time = DateTime.fromFormat(digits, 'yyyyMMddHHmmss'.slice(0, digits.length), { zone: utc ? 'utc' : timeZone });
  if (!time.isValid)
    throw new KeyError('malformed', `expiry-time="${value}" is no date; write it as 20271231 or 202712311800Z`);
  return time.toMillis();
}

const beginsWithKeyType = /^(ssh-|ecdsa-|sk-)[\w@.-]+[ \t]/;

/** Options end at the first blank outside quotes; a line whose first word is a key's type has none. */
function splitOptions(line: string): { options: string[]; rest: string } {
  const none = { options: [], rest: line };
  if (beginsWithKeyType.test(line) || !/^[a-z0-9-]+(=|,|[ \t])/i.test(line)) return none;
  const options: string[] = [];
  let begin = 0;
  let isQuoted = false;
  for (let at = 0; at < line.length; at++) {
    const character = line[at]!;
    if (character === '"' && line[at - 1] !== '\\') isQuoted = !isQuoted;
    if (isQuoted || !/[, \t]/.test(character)) continue;
    options.push(line.slice(begin, at));
    begin = at + 1;
    if (character !== ',') {
      const rest = line.slice(begin).trim();
      return beginsWithKeyType.test(rest) ? { options, rest } : none;
    }
  }
  return none;
}
