/** A stream of log lines into the system's log, through the program that every Unix has for it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { Writable } from 'node:stream';

/** Starts `logger` with the first line. Where it is missing, `onMissing` is called once, and lines are dropped. */
export function openSyslog(tag: string, onMissing: (reason: string) => void): Writable {
  let child: ChildProcess | null = null;
  const start = (): ChildProcess => {
    const started = spawn('logger', ['-t', tag, '-p', 'daemon.info'], { stdio: ['pipe', 'ignore', 'ignore'] });
    started.once('error', (cause) => onMissing(cause.message));
    started.stdin.on('error', () => {}); // said already: its process failed
    return started;
  };
  return new Writable({
    decodeStrings: false,
    write(line: string | Buffer, _encoding, done) {
      child ??= start();
      // What it does not take must not hold up a session.
      child.stdin!.write(line);
      done();
    },
    final(done) {
      if (child === null || child.exitCode !== null) done();
      else child.once('close', () => done()).stdin!.end();
    },
  });
}
