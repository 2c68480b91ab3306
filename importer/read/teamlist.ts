/** Splits a `Teams` cell into team names (rule U6). */
import { collapse, nameKey } from './normalize.js';

export interface TeamName {
  key: string;
  name: string;
}

/**
 * Names are separated by commas; a name with a comma stands in double quotes (`""` is a quote) or has `\,` for it.
 * null: a quote is never closed.
 */
export function splitTeams(cell: string): TeamName[] | null {
  const names = cell.includes('"') || cell.includes('\\') ? splitQuoted(cell) : cell.split(',');
  if (names === null) return null;
  const found = new Map<string, TeamName>();
  for (const raw of names) {
    const name = collapse(raw);
    if (name === '') continue;
    const key = nameKey(name);
    if (!found.has(key)) found.set(key, { key, name });
  }
  return [...found.values()];
}

function splitQuoted(cell: string): string[] | null {
  const names: string[] = [];
  let name = '';
  let isQuoted = false;
  for (let at = 0; at < cell.length; at++) {
    const char = cell[at]!;
    const next = cell[at + 1];
    if (isQuoted) {
      if (char !== '"') name += char;
      else if (next === '"') {
        name += '"';
        at++;
      } else isQuoted = false;
    } else if (char === '\\' && (next === ',' || next === '\\' || next === '"')) {
      name += next;
      at++;
    } else if (char === '"' && name.trim() === '') {
      name = '';
      isQuoted = true;
    } else if (char === ',') {
      names.push(name);
      name = '';
    } else name += char;
  }
  if (isQuoted) return null;
  names.push(name);
  return names;
}
