/** Reads and writes file attributes (draft-ietf-secsh-filexfer-02, section 5), and formats the `ls -l` line that clients show. */
import type { Attributes, Entry } from '../../storage/types.js';
import type { PacketReader, PacketWriter } from './codec.js';

const hasSize = 0x1;
const hasOwner = 0x2;
const hasMode = 0x4;
const hasTimes = 0x8;
const hasExtended = 0x8000_0000;

const folderBit = 0o040000;
const fileBit = 0o100000;

/**
 * Owner and group of every file: without numbers some clients show root as the owner. Their name is the
 * organization's (users-groups-by-id@openssh.com).
 */
export const ownerNumber = 1000;

/** The attributes that a client sets; owner numbers are read and dropped, as the organization owns every file. */
export interface GivenAttributes {
  /** null: not given. */
  size: number | null;
  attributes: Partial<Attributes>;
}

export function readAttributes(packet: PacketReader): GivenAttributes {
  const flags = packet.u32();
  const given: GivenAttributes = { size: null, attributes: {} };
  if ((flags & hasSize) !== 0) given.size = packet.u64();
  if ((flags & hasOwner) !== 0) {
    packet.u32();
    packet.u32();
  }
  if ((flags & hasMode) !== 0) given.attributes.mode = packet.u32() & 0o777;
  if ((flags & hasTimes) !== 0) {
    given.attributes.atimeMs = packet.u32() * 1000;
    given.attributes.mtimeMs = packet.u32() * 1000;
  }
  if ((flags & hasExtended) !== 0) {
    for (let count = packet.u32(); count > 0; count--) {
      packet.string();
      packet.string();
    }
  }
  return given;
}

export function writeAttributes(packet: PacketWriter, entry: Entry): PacketWriter {
  return packet
    .u32(hasSize | hasOwner | hasMode | hasTimes)
    .u64(entry.size)
    .u32(ownerNumber)
    .u32(ownerNumber)
    .u32(entry.mode | (entry.kind === 'dir' ? folderBit : fileBit))
    .u32(toSeconds(entry.atimeMs))
    .u32(toSeconds(entry.mtimeMs));
}

export function writeNoAttributes(packet: PacketWriter): PacketWriter {
  return packet.u32(0);
}

/** `-rw-r--r--    1 acme     acme         1234 Jan 31 02:00 users.csv`, which lftp and curl parse. Times are UTC. */
export function formatLongName(entry: Entry, owner: string, nowMs: number): string {
  const kind = entry.kind === 'dir' ? 'd' : '-';
  const bits = [...'rwxrwxrwx'].map((letter, bit) => ((entry.mode >> (8 - bit)) & 1 ? letter : '-')).join('');
  const who = owner.padEnd(8);
  return `${kind}${bits}    1 ${who} ${who} ${String(entry.size).padStart(8)} ${formatTime(entry.mtimeMs, nowMs)} ${toShown(entry.name)}`;
}

/** Clients print the line as it is: control characters become `?`, as in `ls`. */
function toShown(name: string): string {
  return name.replace(/[\p{Cc}\u2028\u2029]/gu, '?');
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const halfYearMs = (365 / 2) * 24 * 3600 * 1000;

/** As ls does it: the time of day of the last half year, the year of everything else. */
function formatTime(timeMs: number, nowMs: number): string {
  const time = new Date(timeMs);
  const day = `${months[time.getUTCMonth()]} ${String(time.getUTCDate()).padStart(2)}`;
  const isRecent = timeMs <= nowMs && nowMs - timeMs < halfYearMs;
  return isRecent ? `${day} ${time.toISOString().slice(11, 16)}` : `${day}  ${time.getUTCFullYear()}`;
}

/** Version 3 has unsigned 32-bit seconds: until 2106. */
function toSeconds(timeMs: number): number {
  return Math.min(Math.max(Math.floor(timeMs / 1000), 0), 0xffff_ffff);
}
