/** What a fuzzed client does, as data: so that a failure can be done again, and made small. */

export interface Script {
  steps: readonly Step[];
  /** In order; in the middle of a packet; without waiting for its answers; thrown out by the server. */
  ending: 'end' | 'cut' | 'lose' | 'abort';
}

export interface Step {
  bytes: Buffer;
  /** The bytes arrive in pieces of so many. */
  pieceBytes: number;
  /** Waits for every answer first. */
  waits: boolean;
  /** Reads no answers before it waits again. */
  isDeaf: boolean;
}

/** Something is not as it should be. */
export class Unexpected extends Error {}

/** The same, with what was done before, and what the server's log said. */
export class Finding extends Error {
  constructor(
    message: string,
    readonly script: Script,
    readonly log: string,
  ) {
    super(message);
  }
}

/** Leaves out what the failure does not need. `fails` says whether a script still fails. */
export async function shrink(script: Script, fails: (script: Script) => Promise<boolean>): Promise<Script> {
  let least = script;
  for (let length = Math.ceil(script.steps.length / 2); length >= 1; length = Math.floor(length / 2)) {
    for (let at = 0; at < least.steps.length; ) {
      const shorter = { ...least, steps: [...least.steps.slice(0, at), ...least.steps.slice(at + length)] };
      if (await fails(shorter)) least = shorter;
      else at += length;
    }
  }
  return least;
}

/** One step a line, as `parseScript` reads it. */
export function formatScript({ steps, ending }: Script): string {
  const lines = steps.map(
    ({ bytes, pieceBytes, waits, isDeaf }) =>
      `${waits ? 'wait' : 'go'} ${isDeaf ? 'deaf' : 'hear'} ${pieceBytes} ${toText(bytes)}`,
  );
  return [...lines, ending].join('\n');
}

export function parseScript(text: string): Script {
  const lines = text.trim().split('\n');
  const ending = lines.pop()!.trim() as Script['ending'];
  const steps = lines.map((line) => {
    const [waits, hears, pieceBytes, hex] = line.trim().split(' ');
    const bytes = fromText(hex ?? '');
    return { waits: waits === 'wait', isDeaf: hears === 'deaf', pieceBytes: Number(pieceBytes), bytes };
  });
  return { steps, ending };
}

/** Hex; 16 bytes and more that are the same as `(7f*4096)`. */
function toText(bytes: Buffer): string {
  return bytes
    .toString('hex')
    .replace(/(?=(..))\1{16,}/g, (run, byte: string, at: number) =>
      at % 2 === 0 ? `(${byte}*${run.length / 2})` : run,
    );
}

function fromText(text: string): Buffer {
  return Buffer.from(
    text.replace(/\((..)\*(\d+)\)/g, (_, byte: string, count: string) => byte.repeat(Number(count))),
    'hex',
  );
}
