/** An SFTP server of a customer in memory, whose answers a test can make late, wrong or endless. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import ssh2 from 'ssh2';
import { generatePair } from '../../keys/host/pair.js';
import { fingerprintOf } from '../../keys/login/fingerprint.js';
import type { Scope } from './temporary.js';

const { STATUS_CODE: status } = ssh2.utils.sftp;

export interface RemoteFile {
  content: Buffer;
  /** Seconds since 1970. */
  mtime: number;
  mode: number;
  /** What it tells instead of the content's length. */
  toldSize?: number;
}

export interface MemoryServer {
  port: number;
  fingerprint: string;
  password: string;
  files: Map<string, RemoteFile>;
  /** The names of requests, in order: `open users.csv`. */
  requests: string[];
  put(name: string, content: string, change?: Partial<RemoteFile>): void;
  /** Changes the answers. */
  lies: {
    /** The entries of each batch of a listing; null: the files, once. */
    listing: ((batch: number) => string[] | null) | null;
    /** Bytes of one reply to a READ at most. */
    mostBytes: number;
    /** Milliseconds before the reply to a READ; Infinity: there is none. */
    readDelayMs: number;
    /** Milliseconds before the reply to a READDIR. */
    listDelayMs: number;
    /** Called at each READ. */
    onRead: (name: string) => void;
    refuses: Set<string>;
    omitsModes: boolean;
    /** Files have no end. */
    isEndless: boolean;
  };
  /** Ends all connections. */
  dropClients(): void;
  /** Another server takes its place, with another host key. */
  changeHostKey(): Promise<void>;
}

const regular = 0o100644;

export async function startMemoryServer(scope: Scope): Promise<MemoryServer> {
  const files = new Map<string, RemoteFile>();
  const server: MemoryServer = {
    ...{ port: 0, fingerprint: '', password: 'correct horse', files, requests: [] },
    put: (name, content, change = {}) =>
      void files.set(name, { content: Buffer.from(content), mtime: 1_700_000_000, mode: regular, ...change }),
    lies: {
      ...{ listing: null, mostBytes: 1 << 20, readDelayMs: 0, listDelayMs: 0, onRead: () => {} },
      ...{ refuses: new Set<string>(), omitsModes: false, isEndless: false },
    },
    dropClients: () => {
      for (const client of clients) client.end();
    },
    changeHostKey: async () => {
      await close();
      await listen(server.port);
    },
  };
  const clients = new Set<ssh2.Connection>();
  let listening: ssh2.Server;
  const close = async () => {
    const closed = new Promise<void>((done) => listening.close(() => done()));
    for (const client of clients) client.end();
    await closed;
  };
  const listen = async (port: number) => {
    const { private: hostKey, public: line } = generatePair('ed25519');
    server.fingerprint = fingerprintOf(Buffer.from(line.split(' ')[1]!, 'base64'));
    listening = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
      clients.add(client);
      client.on('error', () => {}).on('close', () => clients.delete(client));
      client.on('authentication', (context) =>
        context.method === 'password' && context.password === server.password
          ? context.accept()
          : context.reject(['password']),
      );
      client.on('session', (accept) => accept().on('sftp', (acceptSftp) => serve(acceptSftp(), server)));
    });
    listening.listen(port, '127.0.0.1');
    await once(listening, 'listening');
    server.port = (listening.address() as AddressInfo).port;
  };
  await listen(0);
  scope.after(close);
  return server;
}

function serve(sftp: ssh2.SFTPWrapper, { files, lies, requests }: MemoryServer): void {
  const handles = new Map<number, { name: string; batch: number }>();
  let next = 1;
  const newHandle = (name: string) => {
    const handle = Buffer.alloc(4);
    handle.writeUInt32BE(next);
    handles.set(next++, { name, batch: 0 });
    return handle;
  };
  const of = (handle: Buffer) => handles.get(handle.readUInt32BE())!;
  const nameOf = (path: string) => path.slice(path.startsWith('/out/') ? '/out/'.length : 1);
  const attrsOf = (name: string) => {
    const file = files.get(name);
    if (file === undefined) return null;
    const { content, mtime, mode, toldSize } = file;
    return { size: toldSize ?? content.length, mtime, atime: mtime, mode, uid: 0, gid: 0 };
  };
  const answer = (id: number, request: string, act: () => void) => {
    requests.push(request);
    if (lies.refuses.has(request)) sftp.status(id, status.PERMISSION_DENIED);
    else act();
  };
  const stat = (id: number, path: string) => {
    const name = nameOf(path);
    const attrs = name === 'done' ? { size: 0, mtime: 0, atime: 0, mode: 0o40755, uid: 0, gid: 0 } : attrsOf(name);
    if (attrs === null) sftp.status(id, status.NO_SUCH_FILE);
    else sftp.attrs(id, attrs);
  };
  sftp.on('error', () => {});
  sftp.on('OPENDIR', (id, path) => answer(id, 'opendir', () => void sftp.handle(id, newHandle(path))));
  sftp.on('READDIR', (id, handle) => {
    const open = of(handle);
    const names = lies.listing === null ? null : lies.listing(open.batch++);
    if (lies.listing === null && open.batch++ > 0) return void sftp.status(id, status.EOF);
    if (lies.listing !== null && names === null) return void sftp.status(id, status.EOF);
    const listed = names ?? [...files.keys()].filter((name) => !name.startsWith('done/'));
    const entries = listed.map((filename) => {
      const attrs = attrsOf(filename) ?? { size: 1, mtime: 1, atime: 1, mode: regular, uid: 0, gid: 0 };
      return { filename, longname: filename, attrs: lies.omitsModes ? ({} as typeof attrs) : attrs };
    });
    if (lies.listDelayMs === 0) sftp.name(id, entries);
    else setTimeout(() => sftp.name(id, entries), lies.listDelayMs);
  });
  sftp.on('LSTAT', stat);
  sftp.on('STAT', stat);
  sftp.on('OPEN', (id, path) => {
    const name = nameOf(path);
    answer(id, `open ${name}`, () =>
      files.has(name) ? void sftp.handle(id, newHandle(name)) : void sftp.status(id, status.NO_SUCH_FILE),
    );
  });
  sftp.on('FSTAT', (id, handle) => {
    const attrs = attrsOf(of(handle).name);
    if (attrs === null) sftp.status(id, status.NO_SUCH_FILE);
    else sftp.attrs(id, attrs);
  });
  sftp.on('READ', (id, handle, offset, length) => {
    const { name } = of(handle);
    lies.onRead(name);
    const content = files.get(name)?.content ?? Buffer.alloc(0);
    const reply = () => {
      const bytes = content.subarray(offset, offset + Math.min(length, lies.mostBytes));
      if (lies.isEndless) sftp.data(id, Buffer.alloc(length, 'x'));
      else if (bytes.length === 0) sftp.status(id, status.EOF);
      else sftp.data(id, bytes);
    };
    if (lies.readDelayMs === 0) reply();
    else if (Number.isFinite(lies.readDelayMs)) setTimeout(reply, lies.readDelayMs);
  });
  sftp.on('CLOSE', (id, handle) => {
    handles.delete(handle.readUInt32BE());
    sftp.status(id, status.OK);
  });
  sftp.on('REMOVE', (id, path) => {
    const name = nameOf(path);
    answer(id, `remove ${name}`, () => void sftp.status(id, files.delete(name) ? status.OK : status.NO_SUCH_FILE));
  });
  sftp.on('RENAME', (id, from, to) => {
    answer(id, `rename ${nameOf(from)} ${nameOf(to)}`, () => {
      const file = files.get(nameOf(from));
      if (file === undefined || files.has(nameOf(to))) return void sftp.status(id, status.FAILURE);
      files.delete(nameOf(from));
      files.set(nameOf(to), file);
      sftp.status(id, status.OK);
    });
  });
}
