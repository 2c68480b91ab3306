/** Reads the environment in which an OpenSSH sshd starts its subsystem: the client's address, key and requested command. */
import { open } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { SshdVariables } from '../config/environment.js';
import { plainKeyOf } from '../keys/login/certificate.js';
import { fingerprintOf } from '../keys/login/fingerprint.js';

export interface SshdLogin {
  /** null: sshd did not report it. */
  address: string | null;
  /** Of the key that logged in, or of the key in its certificate. null: another method, or sshd does not report it. */
  keyFingerprint: string | null;
}

/** A file of ExposeAuthInfo has a line for each login method; keys of 16,384 bits fit many times. */
const mostAuthBytes = 64 * 1024;

/** @throws the errors of node:fs, when sshd names a file of keys that can't be read */
export async function identifySshdLogin({ connection, userAuth }: SshdVariables): Promise<SshdLogin> {
  const address = connection?.split(' ')[0] ?? '';
  return {
    address: isIP(address) === 0 ? null : address,
    keyFingerprint: userAuth === null ? null : findKey(await readStart(userAuth)),
  };
}

/**
 * Whether the client asked for SFTP. With a forced command sshd also starts this program for clients that ask for a shell
 * command, as rclone does to compute checksums, and these must get an error. sshd_config fixes the subsystem's name.
 */
export function asksForSftp({ originalCommand }: SshdVariables): boolean {
  return originalCommand === null || /(^|[/\s])(internal-sftp|sftp-server)(\s|$)/.test(originalCommand);
}

/** `publickey ssh-ed25519 AAAA…`; the last one, where several methods were asked for. */
function findKey(text: string): string | null {
  const keys = [...text.matchAll(/^publickey \S+ ([A-Za-z0-9+/]+=*)\s*$/gm)];
  const plain = plainKeyOf(Buffer.from(keys.at(-1)?.[1] ?? '', 'base64'));
  return plain === null ? null : fingerprintOf(plain);
}

async function readStart(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(mostAuthBytes), 0, mostAuthBytes, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await file.close();
  }
}
