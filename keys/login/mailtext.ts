/** Undoes what mail programs do to a key in the text of a mail: quoting, quoted-printable, wrapped lines, typographic characters. */
import { isWholeKey } from './wholekey.js';

/**
 * The texts that `text` may stand for, the most likely first. A reading only joins lines, or decodes characters: it drops no
 * option of a key.
 */
export function readingsOf(text: string): string[] {
  const plain = plainCharacters(text);
  const decoded = decodeQuotedPrintable(plain);
  const unquoted = unquote(plain);
  // `=3D` stands in no key and in no option, but for the equals sign of quoted-printable.
  const bases = /=3D/i.test(plain)
    ? [unquote(decoded), decodeQuotedPrintable(unquoted), unquoted]
    : [plain, unquoted, unquote(decoded), decodeQuotedPrintable(unquoted)];
  const blocks = bases.flatMap((base) => blocksOf(base) ?? []);
  return [...new Set([...bases.flatMap((base) => [base, unwrap(base)]), ...blocks])];
}

/**
 * The PEM and RFC 4716 blocks alone, which have no options: programs print a description before a certificate (`openssl x509 -text`), and
 * people write sentences around a key. null: there is none, or a key in OpenSSH
 * format or an option beside them.
 */
function blocksOf(text: string): string | null {
  const block =
    /^[ \t]*-----BEGIN (RSA PUBLIC KEY|PUBLIC KEY|CERTIFICATE)-----[^-]+-----END \1-----|^[ \t]*---- BEGIN SSH2 PUBLIC KEY ----[\s\S]+?---- END SSH2 PUBLIC KEY ----/gm;
  const blocks = text.match(block);
  const rest = text.replace(block, '');
  if (blocks === null || rest.includes('-----') || rest.split(/\s+/).some((word) => keyType.test(word))) return null;
  // Who writes options above a block means them to count.
  if (rest.split(/[\r\n]+/).some((line) => beginsOptions.test(line.trim()))) return null;
  return blocks.join('\n');
}

/** Blanks of a fixed width, invisible characters and curly quotes, as they come from word processors and web pages. */
function plainCharacters(text: string): string {
  return text
    .replace(/[\u00a0\u2007\u202f]/g, ' ')
    .replace(/[\u200b-\u200d\u2060\ufeff\u00ad]/g, '')
    .replace(/[“”„‟]/g, '"')
    .replace(/^([ \t]*)(["'`])((?:ssh-|ecdsa-|sk-)[^"'`]+)\2[ \t]*\r?$/gm, '$1$3'); // a whole key in quotes
}

/** `> ` before each line of a quoted mail; several, if it was quoted several times. */
function unquote(text: string): string {
  return text.replace(/^[ \t]*(?:>[ \t]?)+/gm, '');
}

/** RFC 2045, section 6.7: `=` at the end of a line joins it with the next, and two hexadecimal digits are a byte. */
function decodeQuotedPrintable(text: string): string {
  const joined = text.replace(/=[ \t]*(\r\n|\n|\r)/g, '');
  return joined.replace(/(?:=[0-9A-F]{2})+/gi, (codes) =>
    Buffer.from(codes.replaceAll('=', ''), 'hex').toString('utf8'),
  );
}

const keyType = /^(ssh-(?:rsa|ed25519)|ecdsa-sha2-nistp\d+|sk-[\w@.-]+)$/;
const beginsKey = /^(ssh-(rsa|ed25519)|ecdsa-sha2-nistp\d+|sk-[\w-]+@openssh\.com)([ \t]|$)/;
const beginsOptions =
  /^(from|expiry-time|permission|principals|command|environment|cert-authority|restrict|pty|no-[a-z0-9-]+)(=|,|[ \t]|$)/i;

/** Joins the lines of each key that was wrapped. Comments, blank lines and blocks end a key. */
function unwrap(text: string): string {
  const entries: string[] = [];
  let open: string[] = [];
  let inBlock = false;
  const close = (): void => {
    if (open.length > 0) entries.push(joinKey(open));
    open = [];
  };
  for (const line of text.split(/\r\n|\n|\r/).map((one) => one.trim())) {
    const isMark = /^-----?/.test(line);
    if (isMark) inBlock = line.includes('BEGIN');
    if (isMark || inBlock || line === '' || line.startsWith('#')) {
      close();
      entries.push(line);
      continue;
    }
    const hasType = open.some((part) => part.split(/[ \t]+/).some((word) => keyType.test(word)));
    if (hasType && (beginsKey.test(line) || beginsOptions.test(line))) close();
    open.push(line);
  }
  close();
  return entries.join('\n');
}

/** More than a key of 16,384 bits has. */
const longestBase64 = 8192;
const mostPieces = 200;

/** Programs break lines at blanks, which are gone then, or at a fixed column. */
function joinKey(lines: readonly string[]): string {
  const atBlanks = lines.reduce((text, line) => {
    const isInQuotes = (text.replaceAll('\\"', '').match(/"/g)?.length ?? 0) % 2 === 1;
    return isInQuotes || text.endsWith(',') ? text + line : `${text} ${line}`;
  });
  return completeKey(atBlanks) ?? completeKey(lines.join('')) ?? atBlanks;
}

/** Options, type, then as much base64 as the key needs, then the comment. null: there is no whole key. */
function completeKey(joined: string): string | null {
  const words = joined.split(/[ \t]+/);
  const at = words.findIndex((word) => keyType.test(word));
  const type = words[at] ?? '';
  let base64 = '';
  for (let next = at + 1; next <= at + mostPieces && /^[A-Za-z0-9+/]+={0,2}$/.test(words[next] ?? ''); next++) {
    base64 += words[next]!;
    if (type === '' || base64.length > longestBase64) break;
    if (isWholeKey(type, Buffer.from(base64, 'base64')))
      return [...words.slice(0, at + 1), base64, ...words.slice(next + 1)].join(' ');
  }
  return null;
}
