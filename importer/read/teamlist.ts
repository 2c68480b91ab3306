/** Splits a `Teams` cell into team names (rule U6), and follows the old names of renamed teams. */
import { collapse, nameKey } from './normalize.js';

export interface TeamName {
  /** Its compared form. */
  key: string;
  name: string;
}

/**
 * Names are separated by commas; a name that has a comma is written in double quotes (`""` is a quote) or with `\,`.
 * @returns null when a quote is never closed.
 */
export function splitTeams(cell: string): TeamName[] | null {
  if (!/[",\\]/.test(cell)) {
    const name = collapse(cell);
    return name === '' ? [] : [{ key: nameKey(name), name }];
  }
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

/** The team that a file calls by an old name, under its present name. @param aliases old names, by their compared forms. */
export function followAlias(team: TeamName, aliases: ReadonlyMap<string, TeamName>): TeamName {
  return aliases.get(team.key) ?? team;
}

/** As followAlias; a team that the cell calls by both names is in the list once. */
export function renameTeams(names: TeamName[], aliases: ReadonlyMap<string, TeamName>): TeamName[] {
  if (aliases.size === 0) return names;
  return [...new Map(names.map((name) => followAlias(name, aliases)).map((team) => [team.key, team])).values()];
}

function splitQuoted(cell: string): string[] | null {
  const names: string[] = [];
  let name = '';
  // Kept beside the name: trimming the name at each quote would be quadratic.
  let isBlank = true;
  let isQuoted = false;
  for (let at = 0; at < cell.length; at++) {
    const char = cell[at]!;
    const next = cell[at + 1];
    if (isQuoted) {
      if (char !== '"') name += char;
      else if (next === '"') {
        name += '"';
        at++;
      } else {
        isQuoted = false;
        isBlank = name.trim() === '';
      }
    } else if (char === '\\' && (next === ',' || next === '\\' || next === '"')) {
      name += next;
      isBlank = false;
      at++;
    } else if (char === '"' && isBlank) {
      name = '';
      isQuoted = true;
    } else if (char === ',') {
      names.push(name);
      name = '';
      isBlank = true;
    } else {
      name += char;
      isBlank &&= char.trim() === '';
    }
  }
  if (isQuoted) return null;
  names.push(name);
  return names;
}
