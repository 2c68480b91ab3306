/** How times, sizes and names from outside are written for people, wherever they are shown. */
import { escapeCharacter, escapeJson, quote, quoteName } from '../importer/outside.js';
import { withSchema } from '../importer/report/schema.js';

export { escapeJson, quote, quoteName, withSchema };

/** Names come from clients: a control character must not reach the operator's terminal. */
export function escapeControl(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: this pattern matches control characters
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, escapeCharacter);
}

/** As escapeControl, of a text that has lines. */
export function escapeText(text: string): string {
  return text
    .split(/(\r?\n)/)
    .map((part, index) => (index % 2 === 1 ? part : escapeControl(part)))
    .join('');
}

/** `2026-01-31 02:00:05 UTC`; a dash for null. */
export function formatTime(ms: number | null): string {
  return ms === null ? '–' : `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** ISO 8601 for programs. */
export function isoTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
