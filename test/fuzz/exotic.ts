/** A case of the session's fuzzer that the model does not follow: copies, checksums and all else, in any order. */
import { duplexPair } from 'node:stream';
import { serveStream } from '../../server/sftp/session.js';
import { type Bench, limits } from './bench.js';
import { Dialogue } from './dialogue.js';
import { frame, path, request, text, type World } from './grammar.js';
import { edges32, edges64, mutate, toBytes32, toBytes64 } from './mutate.js';
import { Random } from './random.js';
import { Unexpected } from './script.js';

type Field = 'path' | 'handle' | 'offset' | 'length' | 'algorithms' | 'ids' | 'block';

const shapes: Readonly<Record<string, readonly Field[]>> = {
  'statvfs@openssh.com': ['path'],
  'fstatvfs@openssh.com': ['handle'],
  'expand-path@openssh.com': ['path'],
  'home-directory': ['path'],
  'users-groups-by-id@openssh.com': ['ids', 'ids'],
  'copy-data': ['handle', 'offset', 'length', 'handle', 'offset'],
  'check-file': ['handle', 'algorithms', 'offset', 'length', 'block'],
  'check-file-handle': ['handle', 'algorithms', 'offset', 'length', 'block'],
  'check-file-name': ['path', 'algorithms', 'offset', 'length', 'block'],
};

/** Every request is answered once or the session ends as malformed; nothing fails, nothing stays open. @throws Unexpected */
export async function fuzzExotic(bench: Bench, seed: number): Promise<void> {
  const random = new Random(seed);
  const place = await bench.newPlace();
  bench.lines.length = 0;
  const [client, server] = duplexPair();
  const { maxHandles } = limits;
  const session = serveStream(server, { ...place, logger: bench.logger, now: Date.now, maxHandles });
  const dialogue = new Dialogue(client, session);
  const sent: string[] = [];
  const send = (bytes: Buffer) => {
    sent.push(bytes.toString('hex').slice(0, 400));
    client.write(bytes);
  };
  /** false: the session has ended. */
  const settle = () =>
    dialogue.settle().then(
      () => true,
      async (error: Error) => {
        if ((await Promise.race([session.ended, null])) === 'malformed') return false;
        throw error;
      },
    );
  try {
    send(frame(Buffer.concat([Buffer.from([1]), toBytes32(3)])));
    for (let id = 1, last = 5 + random.below(50); id <= last; id++) {
      const packet = random.oneIn(2) ? exoticRequest(random, id) : request(random, worldOf(random), id);
      dialogue.expect({ id, name: String(packet[0]), barrier: 'none', check: () => null });
      send(frame(packet));
      if (random.oneIn(3) && !(await settle())) break;
    }
    await settle();
    client.end();
    await session.ended;
    const errors = bench.lines.filter((line) => line.includes('"level":"error"') || line.includes('"stack"'));
    if (errors.length > 0) throw new Unexpected(`the server says that it failed: ${errors.join('')}`);
    if (bench.service.openUploads() > 0) throw new Unexpected('an upload is open after the session');
    await bench.readTree(place);
    if (!(await bench.isBystanderWell())) throw new Unexpected("another organization's files are not what they were");
  } catch (error) {
    throw new Unexpected(`${(error as Error).stack}\n${sent.join('\n')}\n${bench.lines.join('')}`);
  } finally {
    session.abort();
    await session.ended;
    client.destroy();
  }
}

/** Handles are numbered from 0. */
function worldOf(random: Random): World {
  const handles = Array.from({ length: 3 }, () => toBytes32(random.below(8)));
  return { handles, maxFileBytes: limits.maxFileBytes };
}

function exoticRequest(random: Random, id: number): Buffer {
  const name = random.pick(Object.keys(shapes));
  const body = Buffer.concat(shapes[name]!.map((field) => fieldOf(random, field)));
  const isDamaged = random.oneIn(15);
  return Buffer.concat([Buffer.from([200]), toBytes32(id), text(name), isDamaged ? mutate(random, body) : body]);
}

function fieldOf(random: Random, field: Field): Buffer {
  switch (field) {
    case 'path':
      return path(random);
    case 'handle':
      return text(toBytes32(random.below(6)));
    case 'algorithms':
      return text(random.pick(['sha256', 'md5,sha256', 'sha1', '', 'crc32,nonsense', 'sha512']));
    case 'ids':
      return text(random.bytes(random.pick([0, 4, 8, 3, 4000])));
    case 'block':
      return toBytes32(random.oneIn(2) ? 0 : random.pick([...edges32, 256, 4096]));
    default:
      return random.oneIn(8) ? toBytes64(random.pick(edges64)) : toBytes64(BigInt(random.size(limits.maxFileBytes)));
  }
}
