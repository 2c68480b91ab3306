/** A FIDO token in software, behind an SSH agent: OpenSSH's client asks it as it would ask a real one. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type ParsedKey, parsePublicKeys } from '../../keys/login/publickeys.js';
import { encodeString, WireReader } from '../../keys/wire.js';
import { type Scope, temporaryFolder } from './temporary.js';

export type TokenType = 'sk-ssh-ed25519@openssh.com' | 'sk-ecdsa-sha2-nistp256@openssh.com';

export interface Token {
  public: ParsedKey;
  /** Whether somebody touches it when it is asked to sign. */
  isTouched: boolean;
  /** What it would sign in an agent: the signature in wire format. */
  sign(message: Buffer): Buffer;
}

const application = 'ssh:';

export function makeToken(type: TokenType): Token {
  const isEd25519 = type.includes('ed25519');
  const pair = isEd25519 ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = pair.publicKey.export({ format: 'jwk' });
  const point = Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  const parts = isEd25519 ? [Buffer.from(x, 'base64url')] : ['nistp256', point];
  const wire = Buffer.concat([type, ...parts, application].map(encodeString));
  const token: Token = {
    public: parsePublicKeys(`${type} ${wire.toString('base64')} token`)[0]!,
    isTouched: true,
    sign: (message) => signAsToken(type, pair.privateKey, message, token.isTouched),
  };
  return token;
}

function signAsToken(type: string, key: KeyObject, message: Buffer, isTouched: boolean): Buffer {
  const hash = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest();
  const presence = Buffer.from([isTouched ? 1 : 0, 0, 0, 0, 7]); // flags, and a counter
  const signed = Buffer.concat([hash(application), presence, hash(message)]);
  const value = type.includes('ed25519')
    ? sign(null, signed, key)
    : encodePair(sign('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }));
  return Buffer.concat([encodeString(type), encodeString(value), presence]);
}

function encodePair(halves: Buffer): Buffer {
  const numbers = [halves.subarray(0, 32), halves.subarray(32)].map((half) => {
    const first = half.findIndex((byte) => byte !== 0);
    const digits = half.subarray(first);
    return digits[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), digits]) : digits;
  });
  return Buffer.concat(numbers.map(encodeString));
}

/** The agent's socket (draft-miller-ssh-agent); it lists the token's key, and signs. */
export function startAgent(scope: Scope, token: Token): Promise<string> {
  const path = join(temporaryFolder(scope), 'agent');
  const wire = Buffer.from(token.public.publicKey, 'base64');
  const answer = (request: Buffer): Buffer => {
    if (request[0] === 11)
      return Buffer.concat([Buffer.from([12, 0, 0, 0, 1]), encodeString(wire), encodeString('token')]);
    if (request[0] !== 13) return Buffer.from([5]);
    const reader = new WireReader(request.subarray(1));
    reader.string();
    return Buffer.concat([Buffer.from([14]), encodeString(token.sign(reader.string()))]);
  };
  const server = createServer((socket: Socket) => {
    let received = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 4 && received.length >= 4 + received.readUInt32BE(0)) {
        const end = 4 + received.readUInt32BE(0);
        socket.write(encodeString(answer(received.subarray(4, end))));
        received = received.subarray(end);
      }
    });
  });
  scope.after(() => void server.close());
  return new Promise((resolve) => server.listen(path, () => resolve(path)));
}
