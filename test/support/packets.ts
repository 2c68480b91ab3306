/** SSH messages that ssh2's client would never send, on its encrypted connection. */
import type ssh2 from 'ssh2';

interface Internals {
  _protocol: {
    _cipher: { encrypt(packet: Buffer): void };
    _packetRW: { write: { allocStart: number; alloc(length: number): Buffer; finalize(packet: Buffer): Buffer } };
  };
}

/** Sends one message (RFC 4253, section 6: its payload). Throws when the connection is gone. */
export function sendPayload(client: ssh2.Client, payload: Buffer): void {
  const { _cipher, _packetRW } = (client as unknown as Internals)._protocol;
  const start = _packetRW.write.allocStart;
  const packet = _packetRW.write.alloc(payload.length);
  packet.set(payload, start);
  _cipher.encrypt(_packetRW.write.finalize(packet));
}
