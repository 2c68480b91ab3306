/** Colours on a terminal: red for errors, yellow for warnings. A text is painted after its width was measured. */

export type Tint = 'red' | 'yellow';

/** Beginnings of lines, each with its colour. */
export type Tints = Readonly<Record<string, Tint>>;

/** The marks of findings. */
export const markTints: Tints = { 'WRONG  ': 'red', warning: 'yellow' };

/** The environment's word on the terminal. */
export interface TerminalForm {
  /** false with NO_COLOR, or on a terminal without colours. */
  mayColor: boolean;
  /** Whether a line may be written over. */
  mayRewrite: boolean;
}

/** SGR codes (ECMA-48, 8.3.117). `util.styleText` looks at other streams and variables in each version of Node.js. */
const codes: Readonly<Record<Tint, number>> = { red: 31, yellow: 33 };

export function paint(text: string, tint: Tint | null): string {
  return tint === null || text === '' ? text : `\u001b[${codes[tint]}m${text}\u001b[39m`;
}

/** Paints the beginnings of lines that have a colour. */
export function paintLines(text: string, tints: Tints): string {
  const beginnings = Object.keys(tints);
  if (beginnings.length === 0) return text;
  return text
    .split('\n')
    .map((line) => {
      const found = beginnings.find((beginning) => line.startsWith(beginning));
      return found === undefined ? line : paint(found, tints[found]!) + line.slice(found.length);
    })
    .join('\n');
}

/** Whether this stream takes colours. */
export function takesColor(stream: NodeJS.WritableStream, { mayColor }: Pick<TerminalForm, 'mayColor'>): boolean {
  return mayColor && (stream as { isTTY?: boolean }).isTTY === true;
}
