/** Serves the extensions about users: expands `~`, names home directories, and names the owners of files. */
import { encodeString } from '../../keys/wire.js';
import { decodePath, normalizePath } from '../../storage/path.js';
import { ownerNumber } from './attributes.js';
import { PacketReader, PacketWriter } from './codec.js';
import { SftpError } from './error.js';
import { replyNumbers, replyPath } from './reply.js';
import type { Handler } from './request.js';

/** There is one user, the organization, and its home is the root. */
function requireOwn(name: string, org: string): void {
  if (name !== '' && name !== org) throw new SftpError('unknown_name', 'another user than the organization');
}

/** expand-path@openssh.com: as REALPATH, and a leading `~` or `~user` is that user's home. */
export const expandPath: Handler<{ path: string; user: string }> = {
  read(packet) {
    const asked = decodePath(packet.string());
    const [, user = '', rest] = /^~([^/]*)(.*)$/s.exec(asked) ?? [];
    return { path: normalizePath(rest ?? asked), user };
  },
  async run({ space }, { path, user }, id) {
    requireOwn(user, space.org);
    return replyPath(id, path);
  },
};

/** draft-ietf-secsh-filexfer-extensions-00, section 5. */
export const findHome: Handler<{ user: string }> = {
  read: (packet) => ({ user: decodePath(packet.string()) }),
  async run({ space }, { user }, id) {
    requireOwn(user, space.org);
    return replyPath(id, '/');
  },
};

/** users-groups-by-id@openssh.com: OpenSSH's `ls -l` asks for the names of the numbers in attributes. */
export const nameOwners: Handler<{ users: number[]; groups: number[] }> = {
  read: (packet) => ({ users: readNumbers(packet.string()), groups: readNumbers(packet.string()) }),
  async run({ space }, { users, groups }, id) {
    const reply = new PacketWriter(replyNumbers.extended).u32(id);
    return reply.string(writeNames(users, space.org)).string(writeNames(groups, space.org)).finish();
  },
};

function readNumbers(bytes: Buffer): number[] {
  const packet = new PacketReader(bytes);
  const numbers: number[] = [];
  while (packet.remaining > 0) numbers.push(packet.u32());
  return numbers;
}

/** An empty name is none. */
function writeNames(numbers: readonly number[], org: string): Buffer {
  const own = encodeString(org);
  const none = encodeString('');
  return Buffer.concat(numbers.map((number) => (number === ownerNumber ? own : none)));
}
