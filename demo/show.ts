/** Formats the demo's output: steps, tables and the tree of teams. */

export interface TeamLine {
  name: string;
  parent: string;
  type: string;
  owner: string;
  members: number;
}

/** Prints numbered headings, with lines below them. */
export interface Stage {
  step(title: string): void;
  say(...lines: string[]): void;
}

export function createStage(write: (text: string) => void): Stage {
  let steps = 0;
  return {
    step: (title) => {
      steps++;
      write(`\n${steps}. ${title}\n`);
    },
    say: (...lines) => {
      for (const line of lines) write(line === '' ? '\n' : `   ${line}\n`);
    },
  };
}

/** Pads every column but the last to its widest cell. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]!))).join('  '),
  );
}

/** Draws teams below their parents; a team whose parent is not in the list stands at the top. */
export function drawTree(teams: readonly TeamLine[]): string[] {
  const names = new Set(teams.map((team) => team.name));
  const childrenOf = (parent: string): TeamLine[] =>
    teams.filter((team) => (names.has(team.parent) ? team.parent : '') === parent);
  const branch = (team: TeamLine, indent: string, last: boolean): string[] => {
    const children = childrenOf(team.name);
    const below = indent + (last ? '   ' : '│  ');
    return [
      `${indent}${last ? '└─' : '├─'} ${describe(team)}`,
      ...children.flatMap((child, index) => branch(child, below, index === children.length - 1)),
    ];
  };
  return childrenOf('').flatMap((top) => {
    const children = childrenOf(top.name);
    return [describe(top), ...children.flatMap((child, index) => branch(child, '', index === children.length - 1))];
  });
}

function describe(team: TeamLine): string {
  const members = team.members === 1 ? '1 member' : `${team.members} members`;
  return `${team.name}${team.type === '' ? '' : ` (${team.type})`}: ${members}, owner ${team.owner}`;
}
