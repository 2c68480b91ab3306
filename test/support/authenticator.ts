/** An authenticator in software: makes passkeys and signs with them, as the WebAuthn specification describes, or wrongly as a test wants. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

export interface Making {
  /** Of the page on which the browser is. */
  origin: string;
  isUserVerified?: boolean;
  /** Of signatures; without it the authenticator does not count. */
  counter?: number;
  challenge?: string;
  rpId?: string;
  userHandle?: string;
}

interface Options {
  challenge: string;
  rpId?: string;
  rp?: { id: string };
  user?: { id: string };
}

const flags = { present: 1, verified: 4, attested: 64 };

export class Authenticator {
  readonly #key: KeyObject;
  readonly id = randomBytes(16);
  #userHandle = '';

  constructor() {
    this.#key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  }

  /** The JSON that a page sends after `navigator.credentials.create()`. */
  create(options: object, making: Making): string {
    const { challenge, rp, user } = options as Options;
    this.#userHandle = user!.id;
    const { x, y } = this.#key.export({ format: 'jwk' });
    const publicKey = Buffer.concat([
      Buffer.from('a5010203262001215820', 'hex'),
      Buffer.from(x!, 'base64url'),
      Buffer.from('225820', 'hex'),
      Buffer.from(y!, 'base64url'),
    ]);
    const credential = Buffer.concat([Buffer.alloc(16), Buffer.from([0, this.id.length]), this.id, publicKey]);
    const data = Buffer.concat([this.#head(rp!.id, making, flags.attested), credential]);
    const attestationObject = Buffer.concat([
      Buffer.from('a363666d74646e6f6e656761747453746d74a0686175746844617461', 'hex'),
      Buffer.from([0x58, data.length]),
      data,
    ]);
    const clientDataJSON = this.#clientData('webauthn.create', challenge, making);
    return this.#write({ clientDataJSON, attestationObject });
  }

  /** The JSON that a page sends after `navigator.credentials.get()`. */
  get(options: object, making: Making): string {
    const { challenge, rpId } = options as Options;
    const authenticatorData = this.#head(rpId!, making, 0);
    const clientDataJSON = this.#clientData('webauthn.get', challenge, making);
    const hash = createHash('sha256').update(clientDataJSON).digest();
    const signature = sign('sha256', Buffer.concat([authenticatorData, hash]), this.#key);
    const userHandle = Buffer.from(making.userHandle ?? this.#userHandle, 'base64url');
    return this.#write({ clientDataJSON, authenticatorData, signature, userHandle });
  }

  #head(rpId: string, { isUserVerified = true, counter = 0, rpId: other }: Making, more: number): Buffer {
    const hash = createHash('sha256')
      .update(other ?? rpId)
      .digest();
    const count = Buffer.alloc(4);
    count.writeUInt32BE(counter);
    return Buffer.concat([hash, Buffer.from([flags.present | (isUserVerified ? flags.verified : 0) | more]), count]);
  }

  #clientData(type: string, challenge: string, making: Making): Buffer {
    return Buffer.from(
      JSON.stringify({ type, challenge: making.challenge ?? challenge, origin: making.origin, crossOrigin: false }),
    );
  }

  #write(parts: Record<string, Buffer>): string {
    const response = Object.fromEntries(
      Object.entries(parts).map(([name, bytes]) => [name, bytes.toString('base64url')]),
    );
    const id = this.id.toString('base64url');
    return JSON.stringify({ id, rawId: id, type: 'public-key', clientExtensionResults: {}, response });
  }
}
