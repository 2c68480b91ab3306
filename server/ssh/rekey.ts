/** New keys for connections that go on for long: after so many bytes or minutes (RFC 4253, section 9), whoever asks first. */
import type { Socket } from 'node:net';
import type { Connection as Client } from 'ssh2';

export interface RekeyOptions {
  /** Both ways together. */
  bytes: number;
  minutes: number;
  /** How long the client may take to answer. */
  answerMs: number;
  /** What is sent while keys are exchanged waits in memory: nothing more may come until they are. */
  hold(isHeld: boolean): void;
  /** The client did not answer, or went on sending instead. */
  onNoAnswer(): void;
  /** The client asks for new keys again and again, for hardly any data. */
  onTooOften(): void;
}

/** New keys are worth their cost after so many bytes, or so long. */
const leastBytes = 64 * 1024;
const leastMs = 1000;
const mostEarly = 10;

/** What may still have been on its way when we asked: the windows of all channels. */
const mostOnTheWay = 32 * 1024 * 1024;

const watchMs = 250;

export interface Rekeying {
  /** The client began an exchange, or answered ours: it has to come to an end, too. */
  notice(): void;
  /** Called often: looks whether so many bytes have gone. */
  check(): void;
  stop(): void;
}

/** Begins with a connection that has just logged in. */
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
  // ssh2 tells of each exchange but the first, the client's own included: they are as good.
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
