/** Mends what ssh2 1.17 gets wrong as a server and has no public way to set right. Its internals are touched here only. */
import type { Socket } from 'node:net';
import type { Connection, ServerChannel, Session } from 'ssh2';

interface Packets {
  allocStart: number;
  alloc(length: number): Buffer;
  finalize(packet: Buffer): Buffer;
}

interface Internals {
  _sock: Socket;
  _protocol: {
    _kex: { remoteExtInfoEnabled: boolean };
    _cipher: { encrypt(packet: Buffer): void };
    _packetRW: { write: Packets };
    _onHandshakeComplete(...negotiated: unknown[]): void;
    channelClose(channel: number): void;
  };
  _chanMgr: { remove(channel: number): void };
}

interface SessionInternals {
  _channel: unknown;
  _chanInfo: { incoming: { id: number }; outgoing: { id: number; state: string } };
}

/** The socket of a connection, by which our own bookkeeping finds it. */
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
    if (!isWanted) return;
    const payload = encodeExtInfo(signatures);
    const packets = protocol._packetRW.write;
    const start = packets.allocStart;
    const packet = packets.alloc(payload.length);
    packet.set(payload, start);
    protocol._cipher.encrypt(packets.finalize(packet));
  };
}

/** SSH_MSG_EXT_INFO with one extension, server-sig-algs (RFC 8308, sections 2.3 and 3.1). */
function encodeExtInfo(signatures: readonly string[]): Buffer {
  const parts = ['server-sig-algs', signatures.join(',')].flatMap((text) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length, 0);
    return [length, Buffer.from(text, 'latin1')];
  });
  return Buffer.concat([Buffer.from([7, 0, 0, 0, 1]), ...parts]);
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

/** Twice what a channel's window and its stream's buffer (2 MiB each) can hold of a client that keeps to the rules. */
const mostUnreadBytes = 8 * 1024 * 1024;

/** ssh2 takes data beyond the window that it granted, without end: tells of a client that sends it. */
export function watchWindow(stream: ServerChannel, onOverrun: () => void): void {
  const push = stream.push.bind(stream);
  stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (stream.readableLength > mostUnreadBytes) {
      onOverrun();
      return false;
    }
    return push(chunk, encoding);
  };
}

function internalsOf(client: Connection): Internals {
  return client as unknown as Internals;
}
