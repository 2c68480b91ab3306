/** OpenStack Swift with its S3 API, from Debian's packages, and a proxy before it that a test makes fail. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { silenceStoreClient } from '../../config/environment.js';
import { type Scope, temporaryFolder } from './temporary.js';

const python = '/usr/bin/python3';
const server = '/usr/lib/python3/dist-packages/swift/proxy/server.py';

/** For a test's `skip`: false when Swift is there, else what to install. */
export const missingSwift: string | false = existsSync(server)
  ? false
  : 'needs OpenStack Swift: apt-get install swift swift-proxy swift-account swift-container swift-object';

export const accessKey = { accessKeyId: 'test:tester', secretAccessKey: 'testing' };

export interface Swift {
  endpoint: string;
  port: number;
  /** Settings of a store in its bucket, under a prefix of its own. */
  settings(prefix: string, change?: { endpoint?: string; secret?: string }): Record<string, string | number>;
  client: S3Client;
  /** Ends it at once, with all requests to it, and starts it again at the same port. */
  restart(): Promise<void>;
}

export const bucket = 'dropslot-test';

/** A server with an empty bucket. `limits`: settings of its S3 API, such as `max_upload_part_num`. */
export async function startSwift(scope: Scope, limits: Record<string, number> = {}): Promise<Swift> {
  silenceStoreClient();
  const folder = temporaryFolder(scope, tmpdir()); // extended attributes need a disk on systems before Linux 6.6
  const named = Object.entries(limits).map(([name, value]) => `${name} = ${value}`);
  let { child, port } = await launch(folder, named);
  const stop = async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  };
  scope.after(stop);
  const restart = async () => {
    await stop();
    ({ child, port } = await launch(folder, named, port));
  };
  const endpoint = `http://127.0.0.1:${port}`;
  const client = new S3Client({
    ...{ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: accessKey },
    ...{ requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' },
  });
  scope.after(() => client.destroy());
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  const keys = temporaryFolder(scope);
  let files = 0;
  const writeKey = (text: string) => {
    const file = join(keys, `key${files++}`);
    writeFileSync(file, `${text}\n`, { mode: 0o600 });
    return file;
  };
  const settings: Swift['settings'] = (prefix, change = {}) => ({
    blobs: `s3://${bucket}/${prefix}`,
    blobEndpoint: change.endpoint ?? endpoint,
    blobAccessKey: writeKey(accessKey.accessKeyId),
    blobSecretKey: writeKey(change.secret ?? accessKey.secretAccessKey),
    blobPartBytes: 5 * 1024 ** 2,
    blobRetrySeconds: 3,
  });
  return { endpoint, port, settings, client, restart };
}

async function launch(folder: string, limits: readonly string[], wanted = 0) {
  const script = new URL('swiftserver.py', import.meta.url).pathname;
  const child = spawn(python, [script, folder, `${wanted}`, ...limits], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('Swift does not start')));
  const [line] = (await Promise.race([once(createInterface(child.stdout), 'line'), ended])) as [string];
  ended.catch(() => {});
  return { child, port: Number(line.split(' ')[1]) };
}

/** Settings as the environment has them. */
export function variablesOf(settings: Record<string, string | number>): Record<string, string> {
  const variables = Object.entries(settings).map(([name, value]) => [
    `DROPSLOT_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`,
    String(value),
  ]);
  return Object.fromEntries(variables);
}

/** A request on its way to the store. */
export interface Passing {
  method: string;
  /** Path and query. */
  url: string;
  /** One of the names of the S3 API: `UploadPart`, `CompleteMultipartUpload`. */
  action: string;
  headers: IncomingMessage['headers'];
  /** Of the store's answer; null: there is none, and the request is sent once more. */
  status: number | null;
  /** The body, in the place of the store. */
  take(): Promise<Buffer>;
}

/**
 * `cut`: the connection ends before the request arrives. `lost`: after the store has answered, and without the answer. `trickle`: the answer
 * comes byte by byte. A number, or one with a name: the answer is this error. One with a body: the answer is this.
 */
export type Trouble = 'pass' | 'cut' | 'lost' | 'hang' | 'trickle' | 500 | 503 | Named | Answer;

interface Named {
  status: number;
  name: string;
}

interface Answer {
  status: number;
  body: string;
  headers?: Record<string, string>;
}

const trickleMs = 100;

export interface StoreProxy {
  endpoint: string;
  /** Decides for each request; null: all pass. */
  trouble: ((passing: Passing) => Trouble | Promise<Trouble>) | null;
  /** Those that came, in their order. */
  readonly seen: Passing[];
  /** Those of them whose answer, or whose connection, has not ended. */
  readonly open: Set<Passing>;
  /** The store is away: connections are refused. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function startStoreProxy(scope: Scope, store: Pick<Swift, 'port'>): Promise<StoreProxy> {
  const seen: Passing[] = [];
  const open = new Set<Passing>();
  let port = 0;
  const state = { trouble: null as StoreProxy['trouble'] };
  const answer = async (incoming: IncomingMessage, response: ServerResponse) => {
    const passing = describe(incoming);
    seen.push(passing);
    open.add(passing);
    response.once('close', () => open.delete(passing));
    const trouble = (await state.trouble?.(passing)) ?? 'pass';
    if (trouble === 'cut') return void incoming.socket.destroy();
    if (trouble === 'hang') return;
    if (typeof trouble === 'number' || typeof trouble === 'object') {
      const named = typeof trouble === 'number' ? { status: trouble, name: 'InternalError' } : trouble;
      const { status, body, headers } =
        'body' in named ? named : { ...named, body: errorBody(named.name), headers: {} };
      incoming.resume();
      response.writeHead(status, { 'content-type': 'application/xml', ...headers });
      response.end(body);
      return;
    }
    const { method, headers, url } = incoming;
    const onward = request(
      {
        host: '127.0.0.1',
        port: store.port,
        method,
        path: url,
        headers: { ...headers, connection: 'close' },
        agent: false,
      },
      (from) => {
        passing.status = from.statusCode!;
        if (trouble === 'lost') {
          from.resume();
          from.on('end', () => incoming.socket.destroy());
          return;
        }
        if (trouble === 'trickle') return void trickle(from, incoming.socket);
        response.writeHead(from.statusCode!, from.headers);
        from.pipe(response);
      },
    );
    // Swift sends a body with its answer to HEAD for a missing object: a parse error after the answer is none of ours.
    onward.on('error', () => {
      if (!response.headersSent && trouble !== 'lost') incoming.socket.destroy();
    });
    // A request without a body must not become one in chunks.
    if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) onward.end();
    else incoming.pipe(onward);
  };
  const listener = createServer((incoming, response) => void answer(incoming, response));
  // Node answers «Expect: 100-continue» by itself; the store gets the request without it.
  listener.on('checkContinue', (incoming: IncomingMessage, response: ServerResponse) => {
    delete incoming.headers.expect;
    response.writeContinue();
    void answer(incoming, response);
  });
  const stop = async () => {
    listener.closeAllConnections();
    if (listener.listening) await new Promise((resolve) => listener.close(resolve));
  };
  const start = async () => {
    listener.listen(port, '127.0.0.1');
    await once(listener, 'listening');
    port = (listener.address() as AddressInfo).port;
  };
  scope.after(stop);
  await start();
  return {
    endpoint: `http://127.0.0.1:${port}`,
    seen,
    open,
    stop,
    start,
    get trouble() {
      return state.trouble;
    },
    set trouble(decide) {
      state.trouble = decide;
    },
  };
}

export function errorBody(name: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${name}</Code><Message>made by a test</Message></Error>`;
}

async function trickle(from: IncomingMessage, socket: Socket): Promise<void> {
  const { statusCode, headers } = from;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const start = Buffer.from(`HTTP/1.1 ${statusCode} Slow\r\n${lines.join('')}\r\n`);
  for (const byte of Buffer.concat([start, await buffer(from)])) {
    if (socket.destroyed) return;
    socket.write(Buffer.of(byte));
    await sleep(trickleMs);
  }
}

function describe(incoming: IncomingMessage): Passing {
  const { method = '', url = '', headers } = incoming;
  const query = new URL(url, 'http://store').searchParams;
  const named: [boolean, string][] = [
    [method === 'POST' && query.has('uploads'), 'CreateMultipartUpload'],
    [method === 'POST' && query.has('uploadId'), 'CompleteMultipartUpload'],
    [method === 'DELETE' && query.has('uploadId'), 'AbortMultipartUpload'],
    [method === 'PUT' && query.has('partNumber'), headers['x-amz-copy-source'] ? 'UploadPartCopy' : 'UploadPart'],
    [method === 'PUT', 'PutObject'],
    [method === 'HEAD', 'HeadObject'],
    [method === 'DELETE', 'DeleteObject'],
    [method === 'GET' && query.has('uploads'), 'ListMultipartUploads'],
    [method === 'GET' && query.has('uploadId'), 'ListParts'],
    [method === 'GET' && query.has('list-type'), 'ListObjects'],
    [method === 'GET', 'GetObject'],
  ];
  const action = named.find(([isIt]) => isIt)?.[1] ?? method;
  return { method, url, headers, action, status: null, take: () => buffer(incoming) };
}
