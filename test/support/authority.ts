/** An authority that certifies keys, and the keys it certifies: made by OpenSSH's own ssh-keygen. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ParsedKey, parsePublicKeys } from '../../keys/login/publickeys.js';
import { type Scope, temporaryFolder } from './temporary.js';

export interface KeyFile {
  file: string;
  public: ParsedKey;
}

export interface Authority extends KeyFile {
  /** Signs `${key.file}.pub`; the certificate's wire format, which lies beside the key as `…-cert.pub`. */
  certify(key: KeyFile, options: string[]): Buffer;
}

/** `type` as ssh-keygen takes it: `ed25519`, `ecdsa:384`, `rsa:2048`. */
export function makeKeyFile(folder: string, name: string, type = 'ed25519'): KeyFile {
  const file = join(folder, name);
  const [kind = '', bits] = type.split(':');
  const size = bits === undefined ? [] : ['-b', bits];
  execFileSync('ssh-keygen', ['-q', '-t', kind, ...size, '-N', '', '-C', name, '-f', file]);
  return { file, public: parsePublicKeys(readFileSync(`${file}.pub`, 'utf8'))[0]! };
}

export function makeAuthority(scope: Scope, type = 'ed25519', sign: string[] = []): Authority {
  const key = makeKeyFile(temporaryFolder(scope), 'authority', type);
  return {
    ...key,
    certify({ file }, options) {
      execFileSync('ssh-keygen', ['-q', '-s', key.file, ...sign, ...options, `${file}.pub`], { stdio: 'pipe' });
      return Buffer.from(readFileSync(`${file}-cert.pub`, 'utf8').split(' ')[1]!, 'base64');
    },
  };
}
