/**
 * Corrects mistakes of ssh2 1.17's server for which it has no public interface. No other file reads or changes the internal
 * state of ssh2's objects; postquantum.ts replaces one of its modules when it is loaded.
 */
import { createPrivateKey, sign } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Connection, ParsedKey, PublicKeyAuthContext, ServerChannel, Session } from 'ssh2';
import { WireWriter } from '../../keys/wire.js';

interface Packets {
  allocStart: number;
  /** The same for a packet that may be sent while keys are exchanged. */
  allocStartKEX: number;
  alloc(length: number, inExchange?: boolean): Buffer;
  finalize(packet: Buffer, inExchange?: boolean): Buffer;
}

type PayloadHandler = (payload: Buffer) => unknown;
type GlobalRequestHandler = (protocol: unknown, name: string, wantsReply: boolean, data: unknown) => void;
type ChannelRequestHandler = (
  protocol: unknown,
  recipient: number,
  type: string,
  wantsReply: boolean,
  data: unknown,
) => void;

interface Offer {
  lists: { kex: List; serverHostKey: List; cs: Direction; sc: Direction };
}

type List = { array: string[] };
type Direction = Record<'cipher' | 'mac' | 'compress' | 'lang', List>;

interface Internals {
  _sock: Socket;
  _protocol: {
    _kex: { remoteExtInfoEnabled: boolean; sessionID: Buffer; negotiated: { serverHostKey: string } };
    /** Defined while keys are exchanged. */
    _kexinit: Buffer | undefined;
    _queue: Buffer[] | undefined;
    _offer: Offer;
    _handlers: { GLOBAL_REQUEST: GlobalRequestHandler; CHANNEL_REQUEST: ChannelRequestHandler; CHANNEL_OPEN: unknown };
    _cipher: { encrypt(packet: Buffer): void };
    _packetRW: { write: Packets };
    _onHandshakeComplete(...negotiated: unknown[]): void;
    _onPayload: PayloadHandler;
    _decipher: { _onPayload: PayloadHandler };
    requestSuccess(answer: Buffer): void;
    requestFailure(): void;
    channelClose(channel: number): void;
    channelOpenFail(channel: number, reason: number, text: string): void;
    channelFailure(channel: number): void;
  };
  _chanMgr: { get(channel: number | undefined): Partial<SessionInternals> | undefined; remove(channel: number): void };
}

interface SessionInternals {
  /** Defined once the session serves its subsystem. */
  _channel: unknown;
  /** The client has sent the end of its data. */
  _ending: boolean;
  _chanInfo: { incoming: { id: number }; outgoing: { id: number; state: string } };
}

/** The hash that a host key signs with. Of RSA the client chooses one. */
const hostKeyHashes: Readonly<Record<string, string | null>> = { 'ssh-ed25519': null, 'ecdsa-sha2-nistp256': 'sha256' };

/**
 * ssh2 signs each key exchange with a PEM, which takes longer to read than the signature takes: the key signs with a secret that is read
 * once. ssh2's server takes the result as a host key. @throws Error of node:crypto when the key can't be read
 */
export function readOnce(key: ParsedKey): { key: string } {
  const secret = createPrivateKey(key.getPrivatePEM());
  // As ssh2's own: an error is returned.
  const signQuickly = (data: Buffer, algorithm?: string): Buffer | Error => {
    const hash = algorithm ?? hostKeyHashes[key.type];
    if (hash === undefined) return new Error(`no hash for a signature of ${key.type}`);
    try {
      return sign(hash, data, secret);
    } catch (error) {
      return error as Error;
    }
  };
  // Its own types know a key in a file only.
  return { key: Object.assign(key, { sign: signQuickly }) as unknown as string };
}

/** The socket of a connection, the key under which server.ts keeps it. */
export function socketOf(client: Connection): Socket {
  return internalsOf(client)._sock;
}

/**
 * ssh2's list of signature algorithms lacks a comma (`…nistp521rsa-sha2-512`), so that clients with RSA keys find no
 * common one, and it names ssh-rsa and ssh-dss, which are refused. Sends the right list in its place (RFC 8308).
 */
export function announceSignatures(client: Connection, signatures: readonly string[]): void {
  const protocol = internalsOf(client)._protocol;
  const complete = protocol._onHandshakeComplete;
  let isFirst = true;
  protocol._onHandshakeComplete = (...negotiated) => {
    const isWanted = isFirst && protocol._kex.remoteExtInfoEnabled;
    isFirst = false;
    protocol._kex.remoteExtInfoEnabled = false;
    complete(...negotiated);
    if (isWanted) sendPayload(client, encodeExtInfo(signatures));
  };
}

/** ssh2 confirms an RSA key by its type; RFC 4252, section 7, wants the signature algorithm that the client asked for. */
export function confirmSignatureAlgorithm({ key, hashAlgo }: PublicKeyAuthContext): void {
  if (key.algo === 'ssh-rsa' && hashAlgo !== undefined) key.algo = `rsa-sha2-${hashAlgo.slice(3)}`;
}

/** Sends a packet that ssh2 does not know; it waits while keys are exchanged. */
export function sendPayload(client: Connection, payload: Buffer): void {
  const protocol = internalsOf(client)._protocol;
  const packets = protocol._packetRW.write;
  const start = packets.allocStart;
  const packet = packets.alloc(payload.length);
  packet.set(payload, start);
  const finished = packets.finalize(packet);
  if (protocol._kexinit === undefined) protocol._cipher.encrypt(finished);
  else {
    protocol._queue ??= [];
    protocol._queue.push(finished);
  }
}

/** SSH_MSG_DISCONNECT (RFC 4253, section 11.1) with a sentence, which ssh2 leaves out; sent at once, also while keys are exchanged. */
export function sendDisconnect(client: Connection, code: number, text: string): void {
  const { _packetRW, _cipher } = internalsOf(client)._protocol;
  const packets = _packetRW.write;
  const payload = new WireWriter().u8(1).u32(code).string(text).string('').finish();
  const start = packets.allocStartKEX;
  const packet = packets.alloc(payload.length, true);
  packet.set(payload, start);
  _cipher.encrypt(packets.finalize(packet, true));
}

/** SSH_MSG_USERAUTH_BANNER (RFC 4252, section 5.4): the client shows the text to its user. */
export function sendBanner(client: Connection, text: string): void {
  sendPayload(client, new WireWriter().u8(53).string(text).string('').finish());
}

/** SSH_OPEN_RESOURCE_SHORTAGE */
const resourceShortage = 4;

/** Refuses to open a channel, with a sentence, which ssh2 leaves out. */
export function rejectChannel(client: Connection, reject: () => void, text: string): void {
  const protocol = internalsOf(client)._protocol;
  const fail = protocol.channelOpenFail;
  protocol.channelOpenFail = (channel) => fail.call(protocol, channel, resourceShortage, text);
  reject();
  protocol.channelOpenFail = fail;
}

/** The results of a connection's first key exchange; the identifier is the same in later exchanges. */
export function exchangeOf(client: Connection): { sessionId: Buffer; hostKeyAlgorithm: string } {
  const { sessionID, negotiated } = internalsOf(client)._protocol._kex;
  return { sessionId: sessionID, hostKeyAlgorithm: negotiated.serverHostKey };
}

/** Answers a global request (RFC 4254, section 4) that ssh2 refuses; null refuses it as well. */
export function answerGlobalRequest(
  client: Connection,
  request: string,
  answer: (data: Buffer) => Buffer | null,
): void {
  const protocol = internalsOf(client)._protocol;
  const handlers = protocol._handlers;
  const others = handlers.GLOBAL_REQUEST;
  handlers.GLOBAL_REQUEST = (self, name, wantsReply, data) => {
    if (name !== request || !wantsReply || !Buffer.isBuffer(data)) {
      others(self, name, wantsReply, data);
      return;
    }
    const answered = answer(data);
    if (answered === null) protocol.requestFailure();
    else protocol.requestSuccess(answered);
  };
}

/** ssh2 offers each RSA host key with SHA-1 signatures, too, in spite of its options. Runs before it sends its offer. */
export function dropSha1HostKeys(client: Connection): void {
  const protocol = internalsOf(client)._protocol;
  const { kex, serverHostKey, cs, sc } = protocol._offer.lists;
  const algorithms = serverHostKey.array.filter((name) => name !== 'ssh-rsa');
  if (algorithms.length === serverHostKey.array.length) return;
  const namesOf = ({ cipher, mac, compress, lang }: Direction) => ({
    cipher: cipher.array,
    mac: mac.array,
    compress: compress.array,
    lang: lang.array,
  });
  const KexInit = protocol._offer.constructor as new (offer: unknown) => Offer;
  protocol._offer = new KexInit({ kex: kex.array, serverHostKey: algorithms, cs: namesOf(cs), sc: namesOf(sc) });
}

/** SSH_MSG_IGNORE, _UNIMPLEMENTED and _DEBUG (RFC 4253, section 11). */
const idlePackets = [2, 3, 4];
/** From here on a packet is of a channel, or of the connection (RFC 4250, section 4.1.1). */
const firstConnectionPacket = 80;

/**
 * ssh2 ends a connection for any packet between a client's KEXINIT and its new keys. In later exchanges, idle packets are
 * allowed (strict key exchange forbids them in the first one alone), and AsyncSSH sends one before each of its packets. It also
 * keeps sending data under the old keys, which it must not, and OpenSSH accepts. Runs before the first exchange is over. `onExchange` is called when the client begins a later exchange, or answers ours.
 */
export function allowPacketsInExchange(client: Connection, onExchange: () => void): void {
  const protocol = internalsOf(client)._protocol;
  const receive = protocol._onPayload;
  protocol._onPayload = (payload) => {
    const decipher = protocol._decipher;
    const result = receive(payload);
    // The client's KEXINIT has put another receiver here, until the next keys.
    if (protocol._decipher !== decipher || decipher._onPayload === protocol._onPayload) return result;
    const exchange = decipher._onPayload;
    onExchange();
    decipher._onPayload = (packet) => {
      const type = packet[0] ?? 0;
      if (idlePackets.includes(type)) return undefined;
      return type >= firstConnectionPacket ? receive(packet) : exchange(packet);
    };
    return result;
  };
}

/** SSH_MSG_EXT_INFO with one extension, server-sig-algs (RFC 8308, sections 2.3 and 3.1). */
function encodeExtInfo(signatures: readonly string[]): Buffer {
  return new WireWriter().u8(7).u32(1).string('server-sig-algs').string(signatures.join(',')).finish();
}

/**
 * ssh2 neither answers the close of a session that never started a subsystem (rclone's refused exec probes), nor
 * forgets it.
 */
export function closeUnusedSession(client: Connection, session: Session): void {
  const { _channel, _chanInfo } = session as unknown as SessionInternals;
  if (_channel !== undefined) return;
  const { _protocol, _chanMgr } = internalsOf(client);
  _protocol.channelClose(_chanInfo.outgoing.id);
  _chanMgr.remove(_chanInfo.incoming.id);
}

/** ssh2 throws on the number that no channel has (RFC 4254, section 5, leaves it open), and ignores other unknown ones. */
const noChannel = 0xffff_ffff;

/**
 * ssh2 throws a TypeError for a second subsystem on a channel, which ends the connection, and answers no other request on a
 * channel that serves SFTP or whose client has sent its end: the client waits for ever. Refuses them all, as OpenSSH's sshd does.
 */
export function refuseLateChannelRequests(client: Connection): void {
  const { _protocol, _chanMgr } = internalsOf(client);
  const get = _chanMgr.get.bind(_chanMgr);
  _chanMgr.get = (channel) => {
    // ssh2 hands on a packet that ends before this number. The error ends the connection, and is its reason in the log.
    if (channel === undefined) throw new Error('a channel message ends before its channel number');
    return channel === noChannel ? undefined : get(channel);
  };
  const handlers = _protocol._handlers;
  const others = handlers.CHANNEL_REQUEST;
  handlers.CHANNEL_REQUEST = (self, recipient, type, wantsReply, data) => {
    const session = _chanMgr.get(recipient);
    const isLate = session?._chanInfo !== undefined && (session._channel !== undefined || session._ending === true);
    if (!isLate) {
      others(self, recipient, type, wantsReply, data);
      return;
    }
    const { id, state } = session._chanInfo!.outgoing;
    // After the server's own CLOSE nothing may be sent on the channel (RFC 4254, section 5.3).
    if (wantsReply && (state === 'open' || state === 'eof')) _protocol.channelFailure(id);
  };
}

/** Twice the bytes that a channel's window and its stream's buffer (2 MiB each) can hold of a client that keeps to the rules. */
const mostUnreadBytes = 8 * 1024 * 1024;

export interface WindowWatch {
  /** Called when a client sends beyond its window: ssh2 accepts that without limit. */
  onOverrun: () => void;
  /** Called with the bytes that arrived, before the session reads them. */
  onArrival: (bytes: number) => void;
  /** Called with bytes that the session has read, or never will. */
  onRead: (bytes: number) => void;
}

/** Watches the data that arrives on a channel. Call it after the session has its own listener of data. */
export function watchWindow(stream: ServerChannel, { onOverrun, onArrival, onRead }: WindowWatch): void {
  const push = stream.push.bind(stream);
  let unreadBytes = 0;
  let isOver = false;
  stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (stream.readableLength > mostUnreadBytes) {
      onOverrun();
      return false;
    }
    if (Buffer.isBuffer(chunk) && !isOver) {
      unreadBytes += chunk.length;
      onArrival(chunk.length);
    }
    return push(chunk, encoding);
  };
  const read = (bytes: number): void => {
    const known = Math.min(bytes, unreadBytes);
    unreadBytes -= known;
    if (known > 0) onRead(known);
  };
  stream.on('data', (chunk: Buffer) => read(chunk.length));
  stream.once('close', () => {
    isOver = true;
    read(unreadBytes);
  });
}

/** Bytes in the socket's buffer past which a client that sends requests of the connection must read first. */
const mostUnsentBytes = 64 * 1024;

/**
 * ssh2 answers each request of the connection at once, and keeps the answers of a client that does not read, without limit:
 * reads no more of such a client until it has. SFTP has limits of its own.
 */
export function boundAnswers(client: Connection): void {
  const { _handlers: handlers } = internalsOf(client)._protocol;
  const socket = socketOf(client);
  const bound = (): void => {
    if (socket.writableLength <= mostUnsentBytes || socket.isPaused()) return;
    socket.pause();
    socket.once('drain', () => socket.resume());
  };
  for (const name of ['GLOBAL_REQUEST', 'CHANNEL_REQUEST', 'CHANNEL_OPEN'] as const) {
    const handle = handlers[name] as ((...given: unknown[]) => void) | undefined;
    if (handle === undefined) continue;
    Reflect.set(handlers, name, (...given: unknown[]) => {
      handle(...given);
      bound();
    });
  }
}

function internalsOf(client: Connection): Internals {
  return client as unknown as Internals;
}
