/** Generates and checks passwords, for systems without key login: long, stored as a scrypt hash, checked one at a time. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

export interface GeneratedPassword {
  /** Its name in lists and logs: `password:` and its first part, which is no secret. */
  fingerprint: string;
  /** The password itself. It is shown once. */
  text: string;
  /** The hash to store. */
  secret: string;
}

/** 32 MiB and about a tenth of a second for each guess; 2 ** 15 blocks of 8 · 128 bytes. */
const cost = { log2N: 15, r: 8, p: 1 } as const;
const hashBytes = 32;
const letters = 'abcdefghijkmnpqrstuvwxyz23456789'; // 32 of them, none that looks like another
const nameLetters = 8;
/** 160 bits. */
const secretLetters = 32;

const derive = promisify<string, Buffer, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(scrypt);

export async function generatePassword(random: (bytes: number) => Buffer = randomBytes): Promise<GeneratedPassword> {
  const pick = (count: number) => [...random(count)].map((byte) => letters[byte % letters.length]).join('');
  const name = pick(nameLetters);
  const text = `${name}-${pick(secretLetters).replace(/.{8}(?=.)/g, '$&-')}`;
  return { fingerprint: nameOfPassword(text)!, text, secret: await storePassword(text, random) };
}

/** The hash to store of any password, with a salt of its own. */
export async function storePassword(text: string, random: (bytes: number) => Buffer = randomBytes): Promise<string> {
  const salt = random(16);
  const hash = await hashPassword(text, salt, cost);
  return ['scrypt', cost.log2N, cost.r, cost.p, salt.toString('base64'), hash.toString('base64')].join(':');
}

/** The name under which its row is stored; null: it was not generated here. */
export function nameOfPassword(text: string): string | null {
  const name = /^([a-z2-9]{8})(-[a-z2-9]{8}){4}$/.exec(text)?.[1];
  return name === undefined ? null : `password:${name}`;
}

/** `secret` null: there is no such password; the check takes as long, and fails. */
export async function verifyPassword(text: string, secret: string | null): Promise<boolean> {
  const { salt, hash, ...work } = parseSecret(secret);
  const found = await hashPassword(text, salt, work);
  return timingSafeEqual(found, hash) && secret !== null;
}

function hashPassword(
  text: string,
  salt: Buffer,
  { log2N, r, p }: { log2N: number; r: number; p: number },
): Promise<Buffer> {
  return derive(text, salt, hashBytes, { N: 2 ** log2N, r, p, maxmem: 256 * 2 ** log2N * r });
}

function parseSecret(secret: string | null): { salt: Buffer; hash: Buffer; log2N: number; r: number; p: number } {
  const noPassword = { ...cost, salt: Buffer.alloc(16), hash: Buffer.alloc(hashBytes) };
  if (secret === null) return noPassword;
  const [scheme, log2N, r, p, salt = '', hash = ''] = secret.split(':');
  const bytes = Buffer.from(hash, 'base64');
  if (scheme !== 'scrypt' || bytes.length !== hashBytes) throw new Error('a stored password has an unknown format');
  return { log2N: Number(log2N), r: Number(r), p: Number(p), salt: Buffer.from(salt, 'base64'), hash: bytes };
}

/** Runs one check at a time, and lets a few wait: parallel guesses take no more processor time. */
export class PasswordQueue {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  readonly #most: number;

  constructor(most = 16) {
    this.#most = most;
  }

  /** null: too many checks wait already. */
  async check(text: string, secret: string | null): Promise<boolean | null> {
    if (this.#waiting >= this.#most) return null;
    this.#waiting++;
    const mine = this.#last.then(() => verifyPassword(text, secret));
    this.#last = mine.catch(() => {});
    try {
      return await mine;
    } finally {
      this.#waiting--;
    }
  }
}
