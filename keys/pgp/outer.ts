/** Reads the first packets of an OpenPGP message: for whom it is encrypted, and how (RFC 9580, 4.2 and 5). */

export interface Outer {
  /** `none`: encrypted without protection of its integrity. `signed`: not encrypted. */
  form: 'protected' | 'none' | 'signed';
  /** Key ids in capital hexadecimal digits, each of 16; zeros: the sender did not say. */
  recipients: string[];
  /** Whether a password opens it too. */
  hasPassword: boolean;
}

const tags = {
  pkesk: 1,
  signature: 2,
  skesk: 3,
  onePass: 4,
  compressed: 8,
  sed: 9,
  marker: 10,
  seipd: 18,
  aead: 20,
  padding: 21,
};

/** The longest beginning that is read. */
export const outerBytes = 64 * 1024;
const mostRecipients = 100;
/** Of a packet, in bytes. */
const longestHeader = 6;
/** 2^(n+6) bytes are held in memory: RFC 9580 allows 16, GnuPG has written 22. */
const mostChunkPower = 22;

/** null: no message of OpenPGP begins so. `unsupported`: one does, of a form that can't be read. `cut`: it ends before its data. */
export function readOuter(begin: Buffer): Outer | 'unsupported' | 'cut' | null {
  let end = 0;
  const outer: Outer = { form: 'protected', recipients: [], hasPassword: false };
  for (let at = 0, packet = readHeader(begin, at); packet !== null; packet = readHeader(begin, at)) {
    const { tag, from } = packet;
    const body = begin.subarray(from, packet.length === null ? undefined : from + packet.length);
    const isFirst = at === 0;
    if (tag === tags.pkesk) {
      const id = readRecipient(body);
      if (id === null || outer.recipients.length >= mostRecipients) return isFirst ? null : 'unsupported';
      outer.recipients.push(id);
    } else if (tag === tags.skesk && body[0] !== undefined && body[0] >= 4 && body[0] <= 6) outer.hasPassword = true;
    else if (tag === tags.seipd || tag === tags.aead || tag === tags.sed) {
      if (isFirst) return null;
      outer.form = tag === tags.sed ? 'none' : 'protected';
      const chunkPower = tag === tags.aead || body[0] === 2 ? (body[3] ?? 0) : 0;
      return chunkPower > mostChunkPower ? 'unsupported' : outer;
    } else if (tag === tags.onePass && (body[0] === 3 || body[0] === 6) && (body[1] ?? 9) <= 1)
      return { ...outer, form: 'signed' };
    else if (tag === tags.compressed && (body[0] ?? 9) <= 3) return { ...outer, form: 'signed' };
    else if (tag === tags.signature && (body[0] === 3 || body[0] === 4 || body[0] === 6) && (body[1] ?? 9) <= 1)
      return { ...outer, form: 'signed' };
    else if (tag !== tags.padding && !(tag === tags.marker && body.toString('latin1') === 'PGP'))
      return isFirst ? null : 'unsupported';
    if (packet.length === null) return isFirst ? null : 'unsupported';
    at = from + packet.length;
    end = at;
  }
  if (outer.recipients.length === 0 && !outer.hasPassword) return null;
  return end + longestHeader > begin.length ? 'cut' : 'unsupported';
}

/** `length` null: a partial or indeterminate length. null: no packet begins here. */
function readHeader(bytes: Buffer, at: number): { tag: number; from: number; length: number | null } | null {
  const [first, a, b, c, d, e] = bytes.subarray(at, at + 6);
  if (first === undefined || a === undefined || (first & 0x80) === 0) return null;
  const [two, four] = [b === undefined ? 0 : (a << 8) | b, bytes.length >= at + 5 ? bytes.readUInt32BE(at + 1) : 0];
  if ((first & 0x40) === 0) {
    const lengths = [a, two, four, null] as const;
    const kind = first & 3;
    return { tag: (first >> 2) & 15, from: at + [2, 3, 5, 1][kind]!, length: lengths[kind]! };
  }
  const tag = first & 63;
  if (a < 192) return { tag, from: at + 2, length: a };
  if (a < 224) return { tag, from: at + 3, length: ((a - 192) << 8) + (b ?? 0) + 192 };
  if (a < 255) return { tag, from: at + 2, length: null };
  return { tag, from: at + 6, length: (((b ?? 0) << 24) | ((c ?? 0) << 16) | ((d ?? 0) << 8) | (e ?? 0)) >>> 0 };
}

/** The id of the key; of version 6, that of its fingerprint. null: not such a packet. */
function readRecipient(body: Buffer): string | null {
  const id = (from: number) => (body.length < from + 8 ? null : body.toString('hex', from, from + 8).toUpperCase());
  if (body[0] === 3) return id(1);
  if (body[0] !== 6) return null;
  const [length, version] = [body[1], body[2]];
  if (length === 0) return '0'.repeat(16);
  // A fingerprint of version 4 ends with the id; one of version 6 begins with it.
  return version === 4 ? id(15) : id(3);
}
