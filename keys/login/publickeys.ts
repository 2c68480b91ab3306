/** Reads the public key files that customers send, and decides which keys may be used. */
import { KeyError } from '../error.js';
import { typeOf, WireReader } from '../wire.js';
import { fingerprintOf } from './fingerprint.js';
import { decodeKeyFile, pgpKey } from './keyfile.js';
import { type LineTerms, noTerms, readLineTerms } from './lineoptions.js';
import { readingsOf } from './mailtext.js';
import { beginsPublicPem, isAuthority, readPublicPem } from './pem.js';
import { findPrivateKey } from './privatekey.js';
import { isPuttyFile, readPublicPart } from './putty.js';
import { leastRsaBits } from './verify.js';
import { isWholeKey } from './wholekey.js';

export interface ParsedKey {
  /** `SHA256:…`, as ssh-keygen prints it. */
  fingerprint: string;
  /** `ssh-ed25519`, `ecdsa-sha2-nistp256` (384, 521) or `ssh-rsa`. */
  algorithm: string;
  /** Base64 of the SSH wire format. */
  publicKey: string;
  comment: string;
  bits: number;
  /** The options of its line. */
  terms: LineTerms;
}

export interface ParseOptions {
  /** IANA, for times without a zone. */
  timeZone?: string;
  /** Accept the public part of a PuTTY private key file, which is refused otherwise. */
  publicPart?: boolean;
}

const curveBits: Readonly<Record<string, number>> = {
  'ssh-ed25519': 256,
  'ecdsa-sha2-nistp256': 256,
  'ecdsa-sha2-nistp384': 384,
  'ecdsa-sha2-nistp521': 521,
  'sk-ssh-ed25519@openssh.com': 256,
  'sk-ecdsa-sha2-nistp256@openssh.com': 256,
};

/** Files that people send by mistake, each with its error message. */
const mistakes: readonly { pattern: RegExp; code: 'malformed' | 'refused'; reason: string }[] = [
  { pattern: /^-----BEGIN PGP /, code: 'malformed', reason: pgpKey },
  {
    pattern: /^-----BEGIN (NEW )?CERTIFICATE REQUEST/,
    code: 'malformed',
    reason: 'this is the request for a certificate; ask for the certificate or the public key',
  },
  {
    pattern: /^-----BEGIN (PKCS ?#?7|CMS)/,
    code: 'malformed',
    reason:
      'this is a bundle of certificates (PKCS #7); ask for the certificate of the login key alone (PEM), or its public key',
  },
  {
    pattern: /^-----BEGIN /,
    code: 'malformed',
    reason: 'this PEM file is no public key and no certificate; ask for the public key',
  },
  {
    pattern: /-cert-v0[01]@openssh\.com[ \t]/,
    code: 'refused',
    reason: 'this is a certificate; add the authority that signed it, with: keys add-ca',
  },
  {
    pattern: /(^|[ \t])ssh-dss[ \t]/,
    code: 'refused',
    reason: 'DSA keys are outdated; use an Ed25519, ECDSA or RSA key',
  },
];

/**
 * Reads a file of public keys: OpenSSH lines (blank lines and # comments between them, options before the keys),
 * RFC 4716 blocks, which PuTTY writes too, or PEM blocks of public keys and X.509 certificates; also if a mail program has
 * wrapped, quoted or encoded them. Bytes may be UTF-16 or DER, too.
 * @throws KeyError that names the line and the reason: `malformed` or `refused`.
 */
export function parsePublicKeys(
  content: string | Buffer,
  { timeZone = 'utc', publicPart = false }: ParseOptions = {},
): ParsedKey[] {
  const readings = readingsOf(decodeKeyFile(Buffer.from(content)));
  const putty = publicPart ? readings.find(isPuttyFile) : undefined;
  if (putty !== undefined) return [parseLine(readPublicPart(putty), 1, timeZone)];
  for (const reading of readings) {
    const found = findPrivateKey(reading);
    if (found !== null) throw new KeyError('refused', `line ${found.line}: ${found.message}`);
  }
  let first: KeyError | null = null;
  for (const reading of readings) {
    try {
      return parseText(reading, timeZone);
    } catch (error) {
      // A refused key would be refused in any reading; the first reading has the numbers of the file's lines.
      if (!(error instanceof KeyError) || error.code === 'refused') throw error;
      first ??= error;
    }
  }
  throw first ?? new KeyError('malformed', 'there is no public key in it');
}

function parseText(text: string, timeZone: string): ParsedKey[] {
  const lines = text.split(/\r\n|\n|\r/);
  const keys: ParsedKey[] = [];
  const authorities: number[] = [];
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]!.trim();
    if (line === '' || line.startsWith('#')) continue;
    const number = index + 1;
    if (line === '---- BEGIN SSH2 PUBLIC KEY ----') {
      const end = lines.findIndex((other, at) => at > index && other.trim() === '---- END SSH2 PUBLIC KEY ----');
      if (end === -1) throw new KeyError('malformed', `line ${number}: the key begins here and never ends`);
      keys.push(parseBlock(lines.slice(index + 1, end), number));
      index = end;
    } else if (beginsPublicPem(line)) {
      const end = lines.findIndex((other, at) => at > index && other.trim().startsWith('-----END '));
      if (end === -1) throw new KeyError('malformed', `line ${number}: the key begins here and never ends`);
      const block = lines.slice(index, end + 1).map((one) => one.trim());
      const { algorithm, wire } = at(number, () => readPublicPem(block.join('\n')));
      if (isAuthority(block.join('\n'))) authorities.push(number);
      keys.push({ ...parseWire(algorithm, wire.toString('base64'), '', number), terms: noTerms });
      index = end;
    } else {
      keys.push(parseLine(line, number, timeZone));
    }
  }
  if (keys.length === 0) throw new KeyError('malformed', 'there is no public key in it');
  // The key of an authority that signed the certificate must not log in. A certificate alone may be signed by itself.
  if (keys.length > 1 && authorities.length > 0)
    throw new KeyError(
      'refused',
      `line ${authorities[0]}: this is the certificate of an authority, beside others; send the certificate of the login key alone`,
    );
  const twin = keys.find((key, at) => keys.findIndex(({ fingerprint }) => fingerprint === key.fingerprint) < at);
  if (twin !== undefined)
    throw new KeyError('malformed', `the key ${twin.fingerprint} occurs twice: remove one of the two lines`);
  return keys;
}

function parseLine(line: string, number: number, timeZone: string): ParsedKey {
  const mistake = mistakes.find(({ pattern }) => pattern.test(line));
  if (mistake !== undefined) throw new KeyError(mistake.code, `line ${number}: ${mistake.reason}`);
  const { terms, key } = at(number, () => readLineTerms(line, timeZone));
  const words = key.split(/[ \t]+/);
  // The base64 alone, which begins with its type.
  if (/^AAAA[A-Za-z0-9+/]{20,}={0,2}$/.test(words[0]!)) words.unshift(typeOf(Buffer.from(words[0]!, 'base64')));
  const [algorithm = '', base64 = '', ...comment] = words;
  return { ...parseWire(algorithm, base64, comment.join(' '), number), terms };
}

/** Puts the number of the line before the error message. */
function at<T>(number: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    throw new KeyError(error.code, `line ${number}: ${error.message}`, { cause: error });
  }
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
  const algorithm = typeOf(Buffer.from(base64, 'base64'));
  return { ...parseWire(algorithm, base64, comment, number), terms: noTerms };
}

type BareKey = Omit<ParsedKey, 'terms'>;

function parseWire(algorithm: string, base64: string, comment: string, number: number): BareKey {
  if (algorithm === 'ssh-dss')
    throw new KeyError('refused', `line ${number}: DSA keys are outdated; use an Ed25519, ECDSA or RSA key`);
  if (algorithm !== 'ssh-rsa' && !(algorithm in curveBits))
    throw new KeyError('malformed', `line ${number}: this is no public key in OpenSSH format (ssh-ed25519 AAAA…)`);
  const wire = Buffer.from(base64, 'base64');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || !isWholeKey(algorithm, wire))
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
  const modulus = new WireReader(wire).strings()[2]!;
  const first = modulus.findIndex((byte) => byte !== 0);
  return first === -1 ? 0 : (modulus.length - first) * 8 - Math.clz32(modulus[first]!) + 24;
}
