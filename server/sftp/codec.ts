/** SFTP packets (draft-ietf-secsh-filexfer-02, sections 3 and 4): the wire format of keys/wire.ts, with SFTP's errors, paths and lengths. */
import { WireReader, WireWriter } from '../../keys/wire.js';
import { decodePath, normalizePath } from '../../storage/path.js';
import { SpaceError } from '../../storage/types.js';
import { SftpError } from './error.js';

/** Reads a packet from its front. Every method throws SftpError `malformed` where the packet ends too early. */
export class PacketReader extends WireReader {
  /** Throws SpaceError `too_large` above 2^53 - 1: no file is that large, and a Number could not hold it exactly. */
  u64(): number {
    const high = this.u32();
    const low = this.u32();
    if (high > 0x1fffff) throw new SpaceError('too_large', 'a 64-bit number beyond 2^53');
    return high * 0x1_0000_0000 + low;
  }

  /** An absolute path: a relative one starts at `/`, and `..` never leads above it. Throws SpaceError `bad_name`. */
  path(): string {
    return normalizePath(decodePath(this.string()));
  }

  protected override cutShort(missing: number): Error {
    return new SftpError('malformed', `a packet ends ${missing} bytes too early`);
  }
}

/** Writes a packet, whose length comes first. */
export class PacketWriter extends WireWriter {
  constructor(type: number, expectedBytes = 128) {
    super(4 + expectedBytes);
    this.u32(0).u8(type);
  }

  override finish(): Buffer {
    const packet = super.finish();
    packet.writeUInt32BE(packet.length - 4, 0);
    return packet;
  }
}
