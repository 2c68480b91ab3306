/** The client's ear: matches answers with what was expected, each request exactly one. */
import type { Duplex } from 'node:stream';
import type { Session, SessionEnd } from '../../server/sftp/session.js';
import type { Expectation } from './model.js';
import { FieldReader, PacketCutter } from './reader.js';
import { Unexpected } from './script.js';

/** For a slow machine: far more than any answer takes. */
const patienceMs = 60_000;

export class Dialogue {
  readonly #pending: Expectation[] = [];
  readonly #cutter = new PacketCutter(1024 * 1024);
  #isGreeted = false;
  #hasEnded: SessionEnd | null = null;
  #mistake: string | null = null;
  #wake: () => void = () => {};

  readonly #client: Duplex;

  constructor(client: Duplex, session: Session) {
    this.#client = client;
    client.on('data', (chunk: Buffer) => this.#hear(chunk));
    void session.ended.then((end) => {
      this.#hasEnded = end;
      this.#wake();
    });
  }

  expect(expectation: Expectation): void {
    this.#pending.push(expectation);
  }

  /** Waits until everything is answered. @throws Unexpected */
  async settle(): Promise<void> {
    this.#client.resume();
    await this.#until(() => this.#isGreeted && this.#pending.length === 0, 'an answer');
  }

  /** Waits for the session's end. @throws Unexpected */
  async end(expected: SessionEnd): Promise<void> {
    this.#client.resume();
    await this.#until(() => this.#hasEnded !== null, `the session's end (${expected})`, true);
    if (this.#hasEnded !== expected) throw new Unexpected(`the session ended as ${this.#hasEnded}, not ${expected}`);
  }

  async #until(holds: () => boolean, what: string, mayEnd = false): Promise<void> {
    const timer = setTimeout(() => {
      this.#mistake ??= `waited in vain for ${what}; open: ${this.#pending.map(({ id, name }) => `${id} ${name}`)}`;
      this.#wake();
    }, patienceMs);
    try {
      while (!holds()) {
        if (this.#mistake !== null) throw new Unexpected(this.#mistake);
        // Answers that were on their way when the session ended still come.
        if (!mayEnd && this.#hasEnded !== null) {
          await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
          if (holds()) break;
          throw new Unexpected(`the session ended (${this.#hasEnded}) without ${this.#pending.length} answers`);
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      if (this.#mistake !== null) throw new Unexpected(this.#mistake);
    } finally {
      clearTimeout(timer);
    }
  }

  #hear(chunk: Buffer): void {
    this.#cutter.push(chunk);
    for (let packet = this.#cutter.next(); packet !== null; packet = this.#cutter.next()) this.#take(packet);
    this.#wake();
  }

  #take(packet: Buffer): void {
    const body = new FieldReader(packet);
    const [type, id] = [body.u8(), body.u32()];
    if (!this.#isGreeted) {
      this.#isGreeted = true;
      if (type !== 2) this.#mistake ??= `INIT was answered by ${type}`;
      return;
    }
    const same = this.#pending.filter((expectation) => expectation.id === id);
    const [expectation] = same;
    if (expectation === undefined) {
      this.#mistake ??= `an answer (${type}) to ${id}, which nobody asked or which was answered already`;
      return;
    }
    this.#pending.splice(this.#pending.indexOf(expectation), 1);
    // Of two requests with one id nobody can tell the answers apart.
    const verdict = same.length > 1 ? null : expectation.check({ type, id, body });
    if (verdict !== null) this.#mistake ??= `request ${id} (${expectation.name}): ${verdict}`;
  }
}
