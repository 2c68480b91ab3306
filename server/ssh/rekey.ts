/** Exchanges new keys on long connections: after a number of bytes or minutes (RFC 4253, section 9). */
import type { Socket } from 'node:net';
import type { Connection as Client } from 'ssh2';

export interface RekeyOptions {
  /** Both ways together. */
  bytes: number;
  minutes: number;
  /** How long the client may take to answer. */
  answerMs: number;
  /** Data sent during an exchange waits in memory: `true` stops sending, `false` resumes it. */
  hold(isHeld: boolean): void;
  /** The client did not answer in time, or kept sending data instead. */
  onNoAnswer(): void;
  /** The client began many exchanges in a row for hardly any data. */
  onTooOften(): void;
}

/** An exchange is early before both this many bytes and this long. */
const leastBytes = 64 * 1024;
const leastMs = 1000;
const mostEarly = 10;

/** Bytes that may have been in transit when we asked: the windows of all channels. */
const mostOnTheWay = 32 * 1024 * 1024;

const watchMs = 250;

export interface Rekeying {
  /** The client began an exchange, or answered ours: it must complete in time. */
  notice(): void;
  /** Called often: begins an exchange once enough bytes have moved. */
  check(): void;
  stop(): void;
}

/** For a connection that has just logged in. */
export function rekeyRegularly(client: Client, socket: Socket, options: RekeyOptions): Rekeying {
  const bytesMoved = (): number => socket.bytesRead + socket.bytesWritten;
  let startedAt = bytesMoved();
  let exchangedAt = performance.now();
  let early = 0;
  let watch: NodeJS.Timeout | null = null;
  const notice = (): void => {
    if (watch !== null || socket.destroyed) return;
    options.hold(true);
    const { bytesRead } = socket;
    let leftMs = options.answerMs;
    watch = setInterval(() => {
      leftMs -= watchMs;
      if (leftMs <= 0 || socket.bytesRead - bytesRead > mostOnTheWay) options.onNoAnswer();
    }, watchMs);
  };
  const begin = (): void => {
    if (watch !== null || socket.destroyed) return;
    client.rekey();
    notice();
  };
  const timer = setInterval(begin, options.minutes * 60_000);
  const end = (): void => {
    if (watch !== null) clearInterval(watch);
    watch = null;
  };
  // ssh2 reports each exchange but the first; one that the client began counts as well.
  client.on('rekey', () => {
    end();
    options.hold(false);
    const isEarly = bytesMoved() - startedAt < leastBytes && performance.now() - exchangedAt < leastMs;
    early = isEarly ? early + 1 : 0;
    startedAt = bytesMoved();
    exchangedAt = performance.now();
    if (early > mostEarly) options.onTooOften();
    timer.refresh();
  });
  return {
    notice,
    check() {
      if (bytesMoved() - startedAt >= options.bytes) begin();
    },
    stop() {
      end();
      clearInterval(timer);
    },
  };
}
