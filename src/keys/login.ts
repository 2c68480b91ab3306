/** Login keys as customers send them: reading public key files, and the policy of which keys may be used. */
import ssh2 from 'ssh2';
import { KeyError } from './error.js';
import { fingerprintOf } from './fingerprint.js';

export interface ParsedKey {
  /** `SHA256:…`, as ssh-keygen prints it. */
  fingerprint: string;
  /** `ssh-ed25519`, `ecdsa-sha2-nistp256` (384, 521) or `ssh-rsa`. */
  algorithm: string;
  /** Base64 of the SSH wire format. */
  publicKey: string;
  comment: string;
  bits: number;
}

/** Below this an RSA key counts as broken. */
const leastRsaBits = 2048;

const curveBits: Readonly<Record<string, number>> = {
  'ssh-ed25519': 256,
  'ecdsa-sha2-nistp256': 256,
  'ecdsa-sha2-nistp384': 384,
  'ecdsa-sha2-nistp521': 521,
};

/** What people send by mistake, and what to tell them. */
const mistakes: readonly { pattern: RegExp; code: 'malformed' | 'refused'; reason: string }[] = [
  {
    pattern: /^(-----BEGIN [A-Z ]*PRIVATE KEY-----|PuTTY-User-Key-File-)/,
    code: 'refused',
    reason: 'this is a private key, which must never leave its owner; take the public key beside it (often ….pub)',
  },
  {
    pattern: /^-----BEGIN /,
    code: 'malformed',
    reason: 'this is a PEM file; convert it with: ssh-keygen -i -m PKCS8 -f FILE',
  },
  {
    pattern: /-cert-v0[01]@openssh\.com /,
    code: 'refused',
    reason: 'certificates are not supported; take the plain key',
  },
  { pattern: /^ssh-dss /, code: 'refused', reason: 'DSA keys are outdated; use an Ed25519, ECDSA or RSA key' },
  {
    pattern: /^sk-(ssh|ecdsa)-/,
    code: 'refused',
    reason: 'keys of hardware tokens (sk-…) are not supported; use an Ed25519, ECDSA or RSA key',
  },
  {
    pattern: /[ ,]?(from|command|restrict|environment|no-[a-z-]+)[=, ].*(ssh-|ecdsa-)/,
    code: 'refused',
    reason: 'options before the key are not read; remove them, and give addresses with --from',
  },
];

/**
 * Reads a file of public keys: OpenSSH lines (blank lines and # comments between them), or RFC 4716 blocks.
 * @throws KeyError that names the line and the reason: `malformed` or `refused`.
 */
export function parsePublicKeys(text: string): ParsedKey[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  const keys: ParsedKey[] = [];
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]!.trim();
    if (line === '' || line.startsWith('#')) continue;
    const number = index + 1;
    if (line === '---- BEGIN SSH2 PUBLIC KEY ----') {
      const end = lines.findIndex((other, at) => at > index && other.trim() === '---- END SSH2 PUBLIC KEY ----');
      if (end === -1) throw new KeyError('malformed', `line ${number}: the key begins here and never ends`);
      keys.push(parseBlock(lines.slice(index + 1, end), number));
      index = end;
    } else {
      keys.push(parseLine(line, number));
    }
  }
  if (keys.length === 0) throw new KeyError('malformed', 'there is no public key in it');
  return keys;
}

function parseLine(line: string, number: number): ParsedKey {
  const mistake = mistakes.find(({ pattern }) => pattern.test(line));
  if (mistake !== undefined) throw new KeyError(mistake.code, `line ${number}: ${mistake.reason}`);
  const [algorithm = '', base64 = '', ...comment] = line.split(/[ \t]+/);
  return parseWire(algorithm, base64, comment.join(' '), number);
}

/** RFC 4716, section 3: header lines (continued by a backslash), then base64. */
function parseBlock(lines: readonly string[], number: number): ParsedKey {
  const body: string[] = [];
  let comment = '';
  let inHeader = false;
  for (const line of lines) {
    const header = /^([\x21-\x39\x3b-\x7e]{1,64}): ?(.*)$/.exec(line);
    if (header?.[1]?.toLowerCase() === 'comment') comment = header[2]!.replace(/^"|"$/g, '');
    if (header === null && !inHeader) body.push(line.trim());
    inHeader = (header !== null || inHeader) && line.endsWith('\\');
  }
  const base64 = body.join('');
  const wire = Buffer.from(base64, 'base64');
  const length = wire.length >= 4 ? wire.readUInt32BE(0) : 0;
  const algorithm = wire.subarray(4, 4 + Math.min(length, 64)).toString('latin1');
  return parseWire(algorithm, base64, comment, number);
}

function parseWire(algorithm: string, base64: string, comment: string, number: number): ParsedKey {
  if (algorithm !== 'ssh-rsa' && !(algorithm in curveBits))
    throw new KeyError('malformed', `line ${number}: this is no public key in OpenSSH format (ssh-ed25519 AAAA…)`);
  const wire = Buffer.from(base64, 'base64');
  const parsed = /^[A-Za-z0-9+/]+={0,2}$/.test(base64) ? ssh2.utils.parseKey(`${algorithm} ${base64}`) : null;
  // The parser stops at the end of what it needs: what it makes of the key must be all that was there.
  if (parsed === null || parsed instanceof Error || !parsed.getPublicSSH().equals(wire))
    throw new KeyError('malformed', `line ${number}: the key is cut short or altered; copy the whole line again`);
  const bits = measureBits(algorithm, wire);
  if (bits < leastRsaBits && algorithm === 'ssh-rsa')
    throw new KeyError('refused', `line ${number}: RSA keys need ${leastRsaBits} bits or more, this one has ${bits}`);
  return { fingerprint: fingerprintOf(wire), algorithm, publicKey: wire.toString('base64'), comment, bits };
}

/** Bits of a public key in SSH's wire format. */
export function measureBits(algorithm: string, wire: Buffer): number {
  return curveBits[algorithm] ?? measureModulus(wire);
}

/** Bits of an RSA key's modulus: the third string of its wire format (RFC 4253, section 6.6), a signed big-endian number. */
function measureModulus(wire: Buffer): number {
  let offset = 0;
  for (let skipped = 0; skipped < 2; skipped++) offset += 4 + wire.readUInt32BE(offset);
  const modulus = wire.subarray(offset + 4, offset + 4 + wire.readUInt32BE(offset));
  const first = modulus.findIndex((byte) => byte !== 0);
  return first === -1 ? 0 : (modulus.length - first) * 8 - Math.clz32(modulus[first]!) + 24;
}
