/** Owns the sentences that tell a client why the server refuses or ends its connection. They reveal nothing about organizations. */
import type { StartupRefusal } from './startuplimits.js';

/** What a disconnect message contains: a code of RFC 4253, section 11.1, and a sentence. */
export interface Farewell {
  code: number;
  text: string;
}

const protocolError = 2;
const serviceNotAvailable = 7;
const byApplication = 11;
const tooManyConnections = 12;
const noMoreMethods = 14;

/** By the reason that the log has. A client whose packets were wrong gets no sentence: it would not read it. */
const farewells: Readonly<Record<string, Farewell>> = {
  'not logged in in time': { code: byApplication, text: 'there was no login in time' },
  'too many login attempts': {
    code: noMoreMethods,
    text: 'too many login attempts on one connection: offer the right key alone (OpenSSH: -o IdentitiesOnly=yes -i FILE)',
  },
  'login not possible now': { code: serviceNotAvailable, text: 'logins are not possible now: try again in a minute' },
  'login could not be recorded': {
    code: serviceNotAvailable,
    text: 'logins are not possible now: try again in a minute',
  },
  'too many connections of this organization': {
    code: tooManyConnections,
    text: 'your organization has as many connections as it may have: close one, or try again later',
  },
  'its address has a penalty': {
    code: byApplication,
    text: 'too many failed logins from this address: try again in some minutes',
  },
  idle: { code: byApplication, text: 'there was no request for a long time: connect again' },
  'the server stops': { code: byApplication, text: 'the server stops: connect again in a minute' },
  'no answer to a key exchange': { code: protocolError, text: 'the key exchange was not completed in time' },
  'too many key exchanges': { code: protocolError, text: 'too many key exchanges for hardly any data' },
  'a second key exchange before the login': { code: protocolError, text: 'a second key exchange before the login' },
  'too many bytes before the login': { code: protocolError, text: 'too much data before the login' },
  'more data than its window allows': { code: protocolError, text: 'more data than the window of the channel allows' },
};

/** For a session whose key, certificate or organization may no longer log in. */
export const accessEnded: Farewell = { code: byApplication, text: 'this login is no longer valid' };

/** For a session that `dropslot sessions end` names. */
export const endedByOperator: Farewell = {
  code: byApplication,
  text: 'the operator of the server has ended this session',
};

/** For a session that occupies the memory of its organization. */
export const memoryHeld: Farewell = {
  code: byApplication,
  text: 'the sessions of your organization use all the memory that they may, and this one the most: read the replies, and send each file from its start to its end',
};

const silent: Farewell = { code: byApplication, text: '' };

/** `contact` is the setting: where customers get help. */
export function bidFarewell(reason: string, contact: string | undefined): Farewell {
  return withContact(farewells[reason] ?? silent, contact);
}

export function withContact({ code, text }: Farewell, contact: string | undefined): Farewell {
  return { code, text: text === '' ? '' : withHelp(text, contact) };
}

export type Refusal = StartupRefusal | 'the limit maxConnections is reached' | 'the address has a penalty';

const refusals: Record<Refusal, string> = {
  'the limit maxConnections is reached': 'The server has as many connections as it may have: try again in a minute',
  'too many connections without a login': 'Too many clients connect at once: try again in a minute',
  'too many of this address without a login':
    'Too many connections of this address have not logged in: close them, or try again in a minute',
  'the address has a penalty': 'Too many failed logins from this address',
};

/** The line of text before an identification (RFC 4253, section 4.2) that refuses a connection. `waitMs` 0: not known. */
export function refusalLine(refusal: Refusal, waitMs: number, contact: string | undefined): string {
  const wait = waitMs === 0 ? '' : `: try again in ${describeWait(waitMs)}`;
  return `${withHelp(`${refusals[refusal]}${wait}`, contact)}\r\n`;
}

/** For clients that ask for a password where no organization has one. */
export function keysOnly(contact: string | undefined): string {
  return `${withHelp('This server accepts public keys only, no passwords: log in with the key of your organization', contact)}\r\n`;
}

/** For clients whose login is not checked: it would be one guess too many. */
export function tooManyFailures(waitMs: number, contact: string | undefined): string {
  const wait = waitMs === 0 ? 'a minute' : describeWait(waitMs);
  return `${withHelp(`Too many failed logins from this address: this one was not checked. Try again in ${wait}`, contact)}\r\n`;
}

function describeWait(waitMs: number): string {
  const seconds = Math.ceil(waitMs / 1000);
  return seconds <= 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} minutes`;
}

function withHelp(sentence: string, contact: string | undefined): string {
  return contact === undefined ? `${sentence}.` : `${sentence}. Help: ${contact}`;
}
