/** One-time codes of authenticator apps (RFC 6238: HMAC-SHA-1, 30 seconds, 6 digits), as every such app makes them. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { base32nopad } from '@scure/base';

const stepMs = 30_000;
const digits = 6;
/** A clock may be one step behind or ahead. */
const drift = [0, -1, 1];
const secretBytes = 20;

/** A new secret in base32, as apps take it. */
export function generateTotpSecret(random: (bytes: number) => Buffer = randomBytes): string {
  return base32nopad.encode(random(secretBytes));
}

/** Whether a text is such a secret. */
export function isTotpSecret(text: string): boolean {
  return /^[A-Z2-7]{32}$/.test(text);
}

/** The code of a time (ms). */
export function totpCode(secret: string, at: number): string {
  return codeOf(secret, stepOf(at));
}

/** The time step whose code this is; null: it is none of the present ones. */
export function findTotpStep(secret: string, code: string, at: number): number | null {
  if (!/^\d{6}$/.test(code)) return null;
  const given = Buffer.from(code);
  const steps = drift.map((by) => stepOf(at) + by);
  return steps.filter((step) => timingSafeEqual(Buffer.from(codeOf(secret, step)), given))[0] ?? null;
}

/** The last time step whose code is accepted at a time (ms). */
export function latestTotpStep(at: number): number {
  return stepOf(at) + Math.max(...drift);
}

/** `otpauth://…`, which apps read from a QR code. */
export function totpUri(secret: string, { issuer, account }: { issuer: string; account: string }): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`;
  return `otpauth://totp/${label}?secret=${secret}&issuer=${encodeURIComponent(issuer)}`;
}

function stepOf(at: number): number {
  return Math.floor(at / stepMs);
}

function codeOf(secret: string, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', base32nopad.decode(secret)).update(counter).digest();
  const offset = mac.at(-1)! & 0xf;
  const number = (mac.readUInt32BE(offset) & 0x7fffffff) % 10 ** digits;
  return String(number).padStart(digits, '0');
}
