/**
 * Announces every host key to clients and proves that the server has it: OpenSSH's `UpdateHostKeys` learns new keys so
 * (OpenSSH's PROTOCOL, section 2.5).
 */
import type { Connection as Client } from 'ssh2';
import type { HostKey } from '../../keys/host/hostkeys.js';
import { signWithHostKey } from '../../keys/host/signature.js';
import { encodeString, WireReader, WireWriter } from '../../keys/wire.js';
import { answerGlobalRequest, exchangeOf, sendPayload } from './ssh2fixes.js';

const announcement = 'hostkeys-00@openssh.com';
const proof = 'hostkeys-prove-00@openssh.com';

/** OpenSSH asks once. Signatures cost time, so their number is bounded. */
const mostProofs = 4;

/** Tera Term up to 2.72 disconnects at the announcement; OpenSSH's server does not send it either. */
const disconnecting = /^TTSSH\/(1\.|2\.([0-6]?\d|7[0-2])([^\d]|$))/;

/** Announces `keys` when `client` has logged in, and answers when it wants proof. */
export function serveHostKeys(client: Client, program: string, keys: readonly HostKey[]): void {
  let proofs = 0;
  let isLoggedIn = false;
  client.once('ready', () => {
    isLoggedIn = true;
    if (!disconnecting.test(program)) sendPayload(client, encodeAnnouncement(keys));
  });
  answerGlobalRequest(client, proof, (data) => {
    if (!isLoggedIn || ++proofs > mostProofs) return null;
    return prove(data, keys, exchangeOf(client));
  });
}

/** SSH_MSG_GLOBAL_REQUEST (RFC 4254, section 4) that wants no reply. */
function encodeAnnouncement(keys: readonly HostKey[]): Buffer {
  const packet = new WireWriter(4096).u8(80).string(announcement).u8(0);
  for (const { wire } of keys) packet.string(wire);
  return packet.finish();
}

/** A signature for each key that is asked for, in that order; null: the server does not have one of them, or there are too many. */
function prove(data: Buffer, keys: readonly HostKey[], { sessionId, hostKeyAlgorithm }: Exchange): Buffer | null {
  const asked = decodeStrings(data, keys.length);
  if (asked === null || asked.length === 0) return null;
  const signatures: Buffer[] = [];
  for (const wire of asked) {
    const key = keys.find((one) => one.wire.equals(wire));
    if (key === undefined) return null;
    const message = Buffer.concat([proof, sessionId, wire].map(encodeString));
    signatures.push(encodeString(signWithHostKey(key, algorithmFor(key, hostKeyAlgorithm), message)));
  }
  return Buffer.concat(signatures);
}

type Exchange = ReturnType<typeof exchangeOf>;

/** An RSA key signs with the algorithm of the key exchange, if that used an RSA key: clients expect it. */
function algorithmFor({ type }: HostKey, negotiated: string): string {
  if (type !== 'ssh-rsa') return type;
  return negotiated.startsWith('rsa-sha2-') ? negotiated : 'rsa-sha2-512';
}

/** null: no strings, or more than `most`. */
function decodeStrings(data: Buffer, most: number): Buffer[] | null {
  const reader = new WireReader(data);
  const strings: Buffer[] = [];
  try {
    while (!reader.isAtEnd && strings.length <= most) strings.push(reader.string());
  } catch {
    return null;
  }
  return strings.length > most ? null : strings;
}
