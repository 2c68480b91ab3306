/** An SFTP client that says exactly what a test wants, byte by byte if need be. */
import type { Duplex } from 'node:stream';
import { PacketReader, PacketWriter } from '../../server/sftp/codec.js';
import { Framer } from '../../server/sftp/frame.js';

export interface Answer {
  type: number;
  id: number;
  body: PacketReader;
}

export interface Status {
  code: number;
  sentence: string;
}

/** SSH_FXF_…: how OPEN is meant. */
export const openFor = { read: 1, write: 2, append: 4, create: 8, truncate: 16, exclusive: 32 };

export class Wire {
  readonly #framer = new Framer();
  readonly #waiting: ((answer: Answer) => void)[] = [];
  readonly #answers: Answer[] = [];
  #lastId = 0;
  readonly #chunkBytes: number;

  constructor(
    readonly stream: Duplex,
    chunkBytes = Number.POSITIVE_INFINITY,
  ) {
    this.#chunkBytes = chunkBytes;
    stream.on('data', (chunk: Buffer) => {
      this.#framer.push(chunk);
      for (let packet = this.#framer.next(); packet !== null; packet = this.#framer.next()) this.#take(packet);
    });
  }

  /** Sends a whole packet; `build` adds what comes after the request's id. Returns the id. */
  send(type: number, build: (packet: PacketWriter) => PacketWriter): number {
    const id = ++this.#lastId;
    this.sendBytes(build(new PacketWriter(type).u32(id)).finish());
    return id;
  }

  sendBytes(bytes: Buffer): void {
    if (bytes.length <= this.#chunkBytes) this.stream.write(bytes);
    else
      for (let at = 0; at < bytes.length; at += this.#chunkBytes)
        this.stream.write(bytes.subarray(at, at + this.#chunkBytes));
  }

  /** The next answer, whichever request it belongs to. */
  receive(): Promise<Answer> {
    const answer = this.#answers.shift();
    return answer !== undefined ? Promise.resolve(answer) : new Promise((resolve) => this.#waiting.push(resolve));
  }

  async ask(type: number, build: (packet: PacketWriter) => PacketWriter): Promise<Answer> {
    this.send(type, build);
    return this.receive();
  }

  /** INIT; the extensions that the server names, each with its version. */
  async initialize(): Promise<Record<string, string>> {
    this.sendBytes(new PacketWriter(1).u32(3).finish());
    const { body } = await this.receive();
    const extensions: Record<string, string> = {};
    while (body.remaining > 0) extensions[body.string().toString()] = body.string().toString();
    return extensions;
  }

  /** The handle, or the status that refuses it. */
  async open(path: string, flags: number): Promise<Buffer> {
    return handleIn(await this.ask(3, (packet) => packet.string(path).u32(flags).u32(0)));
  }

  async openFolder(path: string): Promise<Buffer> {
    return handleIn(await this.ask(11, (packet) => packet.string(path)));
  }

  async write(handle: Buffer, offset: number, content: string | Buffer): Promise<Status> {
    return statusIn(await this.ask(6, (packet) => packet.string(handle).u64(offset).string(content)));
  }

  /** null: the end. */
  async read(handle: Buffer, offset: number, length: number): Promise<string | null> {
    const answer = await this.ask(5, (packet) => packet.string(handle).u64(offset).u32(length));
    return answer.type === 103 ? answer.body.string().toString() : expectStatus(answer, 1);
  }

  async close(handle: Buffer): Promise<Status> {
    return statusIn(await this.ask(4, (packet) => packet.string(handle)));
  }

  /** Uploads a file in one write. */
  async put(path: string, content: string | Buffer): Promise<Status> {
    const handle = await this.open(path, openFor.write | openFor.create | openFor.truncate);
    await this.write(handle, 0, content);
    return this.close(handle);
  }

  /** Size and permission bits, or the refusal. */
  async stat(path: string): Promise<{ size: number; mode: number; atime: number; mtime: number } | Status> {
    const answer = await this.ask(17, (packet) => packet.string(path));
    return answer.type === 105 ? attributesIn(answer) : statusIn(answer);
  }

  async rename(from: string, to: string): Promise<Status> {
    return statusIn(await this.ask(18, (packet) => packet.string(from).string(to)));
  }

  #take(packet: Buffer): void {
    const body = new PacketReader(Buffer.from(packet));
    const type = body.u8();
    const answer = { type, id: type === 2 ? 0 : body.u32(), body };
    if (type === 2) body.u32();
    const waiter = this.#waiting.shift();
    if (waiter === undefined) this.#answers.push(answer);
    else waiter(answer);
  }
}

export function statusIn({ type, body }: Answer): Status {
  if (type !== 101) throw new Error(`answer ${type} instead of a status`);
  return { code: body.u32(), sentence: body.string().toString() };
}

function expectStatus(answer: Answer, code: number): null {
  const status = statusIn(answer);
  if (status.code !== code) throw new Error(`${status.code}: ${status.sentence}`);
  return null;
}

export function handleIn(answer: Answer): Buffer {
  if (answer.type === 102) return Buffer.from(answer.body.string());
  const { code, sentence } = statusIn(answer);
  throw new Error(`${code}: ${sentence}`);
}

export function attributesIn({ body }: Answer): { size: number; mode: number; atime: number; mtime: number } {
  const flags = body.u32();
  const size = body.u64();
  if ((flags & 2) !== 0) body.u64();
  return { size, mode: body.u32(), atime: body.u32(), mtime: body.u32() };
}
