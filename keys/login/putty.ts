/** Reads the public part of a PuTTY private key file (.ppk), which is not encrypted. */
import { KeyError } from '../error.js';

export function isPuttyFile(text: string): boolean {
  return /^PuTTY-User-Key-File-\d/.test(text.replace(/^\uFEFF/, '').trimStart());
}

/** As a line of OpenSSH. @throws KeyError `malformed` */
export function readPublicPart(text: string): string {
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  const fieldOf = (name: string) =>
    lines
      .find((line) => line.startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim();
  const type = /^PuTTY-User-Key-File-\d+: *(\S+)/m.exec(lines.join('\n'))?.[1];
  const count = Number(fieldOf('Public-Lines') ?? Number.NaN);
  const begin = lines.findIndex((line) => line.startsWith('Public-Lines:')) + 1;
  const body = lines.slice(begin, begin + count);
  if (type === undefined || !(count > 0 && count < 200) || body.length < count)
    throw new KeyError('malformed', 'this PuTTY file has no public part');
  return `${type} ${body.join('')} ${fieldOf('Comment') ?? ''}`.trim();
}
