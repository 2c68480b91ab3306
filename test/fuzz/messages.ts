/** SSH messages as a client could send them, with wrong fields in the right places and at the wrong time (RFC 4250 to 4254). */
import { text } from './grammar.js';
import { edges32, mutate, toBytes32 } from './mutate.js';
import type { Random } from './random.js';

/** s: a string, n: a number, b: a boolean, c: a cookie. */
const shapes: Readonly<Record<number, readonly string[]>> = {
  1: ['nss'],
  2: ['s'],
  3: ['n'],
  4: ['bss'],
  5: ['s'],
  6: ['s'],
  7: ['nssss', 'n'],
  20: ['cssssssssssbn'],
  21: [''],
  30: ['s'],
  31: ['sss'],
  34: ['nnn'],
  50: ['sssbs', 'sssbss', 'sssbsss', 'sss'],
  51: ['sb'],
  52: [''],
  53: ['ss'],
  60: ['ss'],
  61: ['nss'],
  80: ['sb', 'sbsn', 'sbs'],
  81: ['', 'n'],
  82: [''],
  90: ['snnn', 'snnnsnsn'],
  91: ['nnnn'],
  92: ['nnss'],
  93: ['nn'],
  94: ['ns'],
  95: ['nns'],
  96: ['n'],
  97: ['n'],
  98: ['nsb', 'nsbs', 'nsbsnnnns', 'nsbbssn', 'nsbss'],
  99: ['n'],
  100: ['n'],
};

const words = [
  'acme',
  'nobody',
  'ssh-connection',
  'ssh-userauth',
  'none',
  'publickey',
  'password',
  'hostbased',
  'keyboard-interactive',
  'ssh-ed25519',
  'rsa-sha2-512',
  'session',
  'direct-tcpip',
  'x11',
  'auth-agent@openssh.com',
  'subsystem',
  'sftp',
  'exec',
  'shell',
  'env',
  'pty-req',
  'signal',
  'window-change',
  'exit-status',
  'tcpip-forward',
  'no-more-sessions@openssh.com',
  'keepalive@openssh.com',
  'hostkeys-prove-00@openssh.com',
  'curve25519-sha256',
  'aes128-gcm@openssh.com',
  'server-sig-algs',
];

/** A message's payload. */
export function message(random: Random): Buffer {
  if (random.oneIn(20)) return random.bytes(1 + random.below(60));
  const type = Number(random.pick(Object.keys(shapes)));
  const shape = random.pick(shapes[type]!);
  const payload = Buffer.concat([Buffer.from([type]), ...[...shape].map((field) => fieldOf(random, field))]);
  const mutant = random.oneIn(4) ? mutate(random, payload) : payload;
  return mutant.length === 0 ? Buffer.from([type]) : mutant;
}

function fieldOf(random: Random, field: string): Buffer {
  switch (field) {
    case 's':
      return someString(random);
    case 'n':
      return toBytes32(random.oneIn(3) ? random.pick(edges32) : random.below(3));
    case 'b':
      return Buffer.from([random.pick([0, 1, 1, 255])]);
    default:
      return random.bytes(16);
  }
}

function someString(random: Random): Buffer {
  if (random.oneIn(6)) return text(random.bytes(random.below(80)));
  if (random.oneIn(12)) return text(Buffer.alloc(random.pick([300, 4000, 30_000]), 'A'));
  if (random.oneIn(8)) return text(words.slice(0, random.below(words.length)).join(','));
  return text(random.pick(words));
}
