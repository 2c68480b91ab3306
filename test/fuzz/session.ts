/** One case of the session's fuzzer: a client of chance, a real session, and the model that says what should come back. */
import { type Duplex, duplexPair } from 'node:stream';
import { longestPacket } from '../../server/sftp/frame.js';
import { type Session, serveStream } from '../../server/sftp/session.js';
import { type Bench, limits, type Place } from './bench.js';
import { Dialogue } from './dialogue.js';
import { brokenRequest, frame, request } from './grammar.js';
import { History, judgeTree } from './judge.js';
import { type Expectation, Model } from './model.js';
import { toBytes32 } from './mutate.js';
import { Random } from './random.js';
import { PacketCutter, ShortPacket } from './reader.js';
import { Finding, type Script, type Step, Unexpected } from './script.js';

const endings: readonly Script['ending'][] = ['end', 'end', 'cut', 'lose', 'abort'];

/** @throws Finding */
export async function fuzzSession(bench: Bench, seed: number): Promise<void> {
  const random = new Random(seed);
  const count = 3 + random.below(60);
  const manners = { isHasty: random.oneIn(2), isRough: random.oneIn(2) };
  let made = 0;
  await runCase(bench, random.pick(endings), (model) =>
    made++ < count ? makeStep(random, model, made, manners) : null,
  );
}

/** @throws Finding */
export async function replay(bench: Bench, { steps, ending }: Script): Promise<void> {
  let done = 0;
  await runCase(bench, ending, () => steps[done++] ?? null);
}

function makeStep(
  random: Random,
  model: Model,
  number: number,
  { isHasty, isRough }: { isHasty: boolean; isRough: boolean },
): Step {
  const handles = [...model.handles.keys()].map((name) => Buffer.from(name, 'hex'));
  const world = { handles, maxFileBytes: limits.maxFileBytes };
  const isBroken = isRough && random.oneIn(20);
  const bytes = isBroken ? brokenRequest(random, world, number) : frame(request(random, world, number));
  const pieceBytes =
    bytes.length < 2000 ? random.pick([1, 3, 100, 5000, 5000, 5000]) : random.pick([1009, 40_000, 1_000_000]);
  return { bytes, pieceBytes, waits: !isHasty || random.oneIn(5), isDeaf: isHasty && random.oneIn(5) };
}

type NextStep = (model: Model) => Step | null;

async function runCase(bench: Bench, ending: Script['ending'], next: NextStep): Promise<void> {
  const steps: Step[] = [];
  const remember: NextStep = (model) => {
    const step = next(model);
    if (step !== null) steps.push(step);
    return step;
  };
  bench.lines.length = 0;
  const place = await bench.newPlace();
  const subject = new Case(bench, place);
  try {
    await subject.run(ending, remember);
  } catch (error) {
    const message = error instanceof Unexpected ? error.message : String((error as Error).stack);
    throw new Finding(message, { steps, ending }, bench.lines.join(''));
  } finally {
    await subject.clear();
  }
}

class Case {
  readonly #model = new Model(limits);
  readonly #stream = new PacketCutter(longestPacket);
  readonly #history = new History(this.#model.tree);
  readonly #client: Duplex;
  readonly #session: Session;
  readonly #dialogue: Dialogue;
  /** The model has lost track: only what must always hold is looked at. */
  #isVague = false;

  readonly #bench: Bench;

  readonly #place: Place;

  constructor(bench: Bench, place: Place) {
    this.#place = place;
    this.#bench = bench;
    const [client, server] = duplexPair();
    this.#client = client;
    const { space, intake } = place;
    const { maxHandles } = limits;
    this.#session = serveStream(server, { space, intake, logger: bench.logger, now: Date.now, maxHandles });
    this.#dialogue = new Dialogue(client, this.#session);
  }

  async run(ending: Script['ending'], next: NextStep): Promise<void> {
    this.#client.write(frame(Buffer.concat([Buffer.from([1]), toBytes32(3)])));
    const isWhole = await this.#talk(next);
    if (isWhole) await this.#leave(ending);
    else await this.#expectMalformed();
    this.#model.end();
    await this.#judge(isWhole && ending === 'abort');
  }

  async clear(): Promise<void> {
    this.#session.abort();
    await this.#session.ended;
    this.#client.destroy();
  }

  /** false: a packet was malformed. */
  async #talk(next: NextStep): Promise<boolean> {
    for (let step = next(this.#model); step !== null; step = next(this.#model)) {
      if (step.waits) await this.#dialogue.settle();
      if (step.isDeaf) this.#client.pause();
      const expected = this.#foresee(step.bytes);
      const barriers = new Set(expected.map((expectation) => expectation?.barrier ?? 'none'));
      if (barriers.has('both')) await this.#dialogue.settle();
      if (barriers.size > 1 || (expected.length > 1 && !barriers.has('none'))) this.#isVague = true;
      for (const expectation of expected) if (expectation !== null) this.#dialogue.expect(expectation);
      for (let at = 0; at < step.bytes.length; at += step.pieceBytes)
        this.#client.write(step.bytes.subarray(at, at + step.pieceBytes));
      if (expected.includes(null)) return false;
      if (barriers.has('both') || barriers.has('after')) await this.#dialogue.settle();
      this.#history.note();
    }
    return true;
  }

  /** What the packets that are complete with these bytes should bring; null: the session's end. */
  #foresee(bytes: Buffer): (Expectation | null)[] {
    this.#stream.push(bytes);
    const expected: (Expectation | null)[] = [];
    try {
      for (let packet = this.#stream.next(); packet !== null; packet = this.#stream.next()) {
        expected.push(this.#model.receive(packet));
        if (expected.at(-1) === null) break;
      }
    } catch (error) {
      if (!(error instanceof ShortPacket)) throw error;
      expected.push(null);
    }
    return expected;
  }

  async #expectMalformed(): Promise<void> {
    await this.#dialogue.settle();
    await this.#dialogue.end('malformed');
    const told = this.#bench.lines.filter((line) => line.includes('broke the protocol'));
    if (told.length !== 1) throw new Unexpected(`${told.length} lines in the log about a malformed packet`);
  }

  async #leave(ending: Script['ending']): Promise<void> {
    if (ending === 'abort') {
      this.#session.abort();
      return this.#dialogue.end('aborted');
    }
    if (ending === 'cut' && this.#stream.isEmpty) {
      const part = frame(Buffer.alloc(30, 1)).subarray(0, 9);
      this.#stream.push(part);
      this.#client.write(part);
    }
    this.#client.end();
    if (ending === 'lose') this.#session.dropReplies();
    else await this.#dialogue.settle();
    await this.#dialogue.end(this.#stream.isEmpty ? 'closed' : 'cut');
  }

  async #judge(isAborted: boolean): Promise<void> {
    const [bench, place] = [this.#bench, this.#place];
    const errors = bench.lines.filter((line) => line.includes('"level":"error"') || line.includes('"stack"'));
    if (errors.length > 0) throw new Unexpected(`the server says that it failed: ${errors.join('')}`);
    if (bench.service.openUploads() > 0) throw new Unexpected('an upload is open after the session');
    const found = await bench.readTree(place);
    const queue = await bench.queueOf(place.org);
    if (!this.#isVague) judgeTree(found, queue, this.#model.tree, isAborted ? this.#history : null);
    if (!(await bench.isBystanderWell())) throw new Unexpected("another organization's files are not what they were");
  }
}
