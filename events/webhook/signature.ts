/** Signs requests as the Standard Webhooks specification says (https://www.standardwebhooks.com), version v1: HMAC-SHA-256. */
import { createHmac } from 'node:crypto';

export interface SignedHeaders {
  'webhook-id': string;
  /** Seconds since 1970. */
  'webhook-timestamp': string;
  /** One signature for each secret, with spaces between them. */
  'webhook-signature': string;
}

/** @param secrets `whsec_…`: the current one, and those that are being rotated out. @param at in ms */
export function signRequest(id: string, at: number, body: string, secrets: readonly string[]): SignedHeaders {
  const seconds = String(Math.floor(at / 1000));
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')}`;
  });
  return { 'webhook-id': id, 'webhook-timestamp': seconds, 'webhook-signature': signatures.join(' ') };
}
