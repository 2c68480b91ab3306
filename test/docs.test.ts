/** The documents against the code: codes, links, files, settings, commands, and plain words. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { globSync } from 'tinyglobby';
import type { App } from '../cli/app.js';
import { groups, loadGroups } from '../cli/groups.js';
import { createProgram } from '../cli/program.js';
import { settingsSchema } from '../config/settings.js';
import { codes } from '../importer/codes.js';
import { replaceCodeTable } from '../importer/codetable.js';

const pages = globSync(['*.md', 'docs/**/*.md', 'bench/*.md']).sort();
const rooms = [
  'app',
  'cli',
  'config',
  'db',
  'importer',
  'intake',
  'keys',
  'operations',
  'server',
  'sources',
  'storage',
  'web',
];
const read = (file: string) => readFileSync(file, 'utf8');

test('docs/import-rules.md lists every code with its severity, rule and message (else: npm run docs)', () => {
  const text = read('docs/import-rules.md');
  assert.equal(text, replaceCodeTable(text));
});

test('every rule that a code names is explained', () => {
  const text = read('docs/import-rules.md');
  const missing = Object.values(codes).filter(({ rule }) => !text.includes(`**${rule}`));
  assert.deepEqual(missing, []);
});

test('docs/json.md describes the JSON of every command', async () => {
  const text = read('docs/json.md');
  const silent = new Set([
    'files cat',
    'identity export',
    'audit export',
    'serve',
    'sftp-server',
    'authorized-keys',
    'completion',
    'help',
  ]);
  const unused = () => assert.fail('nothing is started');
  const app: App = { version: '0.0.0', serve: unused, runSubsystem: unused, openWorkplace: unused };
  const program = createProgram(await loadGroups(), app);
  const missing = program.commands.flatMap((group) => {
    const leaves =
      group.commands.length === 0 ? [group.name()] : group.commands.map((leaf) => `${group.name()} ${leaf.name()}`);
    return leaves.filter(
      (name) => !silent.has(name) && !text.includes(`\`${name}\``) && !text.includes(`\`${group.name()} …\``),
    );
  });
  assert.deepEqual(missing, []);
});

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test('every link between documents names a file, and a heading in it', () => {
  const broken: string[] = [];
  for (const page of pages) {
    for (const [, target, anchor] of read(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)) {
      const file = target === '' ? page : join(dirname(page), target!);
      if (!existsSync(file)) broken.push(`${page}: ${target}`);
      else if (anchor !== undefined && !anchorsOf(read(file)).includes(anchor))
        broken.push(`${page}: ${target}#${anchor}`);
    }
  }
  assert.deepEqual(broken, []);
});

/** CONTRIBUTING.md shows how to add this command and its file. */
const invented = 'cli/commands/greet.ts';

test('every file of the project that a document names exists', () => {
  const named = new RegExp(`\\b(?:${[...rooms, 'test', 'bench', 'demo', 'docs', 'scripts'].join('|')})/[\\w./-]*`, 'g');
  const missing: string[] = [];
  for (const page of pages) {
    for (const [code] of read(page).matchAll(/`[^`\n]+`|^ {4,}\S.*$/gm)) {
      for (const [path] of code.matchAll(named)) {
        // Folders of data and words of the prose are no files of the project.
        if (!/^[\w-]+\/.*(\.(ts|mjs|md|sh)|\/)$/.test(path) || code.includes('keys/host/')) continue;
        if (path === invented) continue;
        if (!existsSync(path)) missing.push(`${page}: ${path}`);
      }
    }
  }
  assert.deepEqual(missing, []);
});

/** The paragraphs, list items and rows of a page between two headings; a sentence may end in any of its lines. */
function blocksOf(text: string): string[] {
  return text
    .split(/\n(?=\s*\n|- |\| |#)/)
    .map((block) => block.trim().replace(/\s*\n\s*/g, ' '))
    .filter((block) => block !== '' && !block.startsWith('#'));
}

/** A claim without a test, where a block ends; null: there is none. A list's introduction ends with a colon. */
function findUnproven(block: string): string | null {
  if (/^\|[\s|-]*\|$/.test(block) || /^\| (?:the attacker (?:has|tries) )\|/.test(block)) return null;
  if (block.startsWith('|')) return /`test\/[^`]*`[^|]*\|$/.test(block) ? null : block;
  return /(?:\[\^said\]|\([^()]*`test\/[^()]*(?:\([^()]*\)[^()]*)*\)[.;:]?)$/.test(block) ? null : block;
}

test('every claim of docs/security.md names the test that shows it, or says that none can', () => {
  const text = read('docs/security.md');
  const claims = text.slice(text.indexOf('## A stolen disk'), text.indexOf('## Dependencies'));
  const blocks = blocksOf(claims);
  assert.ok(blocks.length > 50, `${blocks.length} blocks`);
  assert.deepEqual(
    blocks.filter((block) => findUnproven(block) !== null),
    [],
  );
  // Files, so that a renamed one is missed: a folder is no test.
  const named = [...claims.matchAll(/`(test\/[^`]*)`/g)].map(([, path]) => path!);
  const missing = named.filter((path) => !/\.ts$/.test(path) || !existsSync(path));
  assert.deepEqual(missing, []);
  assert.match(findUnproven('- It can do anything.') ?? '', /anything/, 'a claim without a test is found');
});

test('docs/architecture.md says where at least 30 behaviours are decided, each in files that exist', () => {
  const rows = [...read('docs/architecture.md').matchAll(/^\| (Where .+\?) \| (.+) \|$/gm)];
  assert.ok(rows.length >= 30, `${rows.length} rows`);
  const missing = rows.flatMap(([, question, files]) => {
    const paths = [...files!.matchAll(/`([^`]+)`/g)].map(([, path]) => path!);
    return paths.length > 0 && paths.every((path) => existsSync(path)) ? [] : [`${question} ${files}`];
  });
  assert.deepEqual(missing, []);
});

test('every command that a document shows exists, with its options', async () => {
  const unused = () => assert.fail('nothing is started');
  const app: App = { version: '0.0.0', serve: unused, runSubsystem: unused, openWorkplace: unused };
  const program = createProgram(await loadGroups(), app);
  const names = groups.flatMap(({ commands }) => commands);
  const wrong: string[] = [];
  for (const page of pages) {
    for (const [, line] of read(page).matchAll(/(?:^ {4}\$? *|`)((?:npx |\/usr\/bin\/)?dropslot [^`\n]*)/gm)) {
      const words = line!
        .split(/ {2,}/)[0]!
        .split(' ')
        .slice(line!.startsWith('npx') ? 2 : 1);
      while (words[0] === '--data' || words[0] === '--config') words.splice(0, 2);
      if (words[0] === undefined || !/^[a-z-]+$/.test(words[0]) || ['help', 'greet', '--version'].includes(words[0]))
        continue;
      if (!names.includes(words[0])) {
        wrong.push(`${page}: ${line}`);
        continue;
      }
      let command = program;
      for (const word of words) {
        const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
        if (next === undefined) break;
        command = next;
      }
      const known = [...command.options, ...program.options].map(({ long }) => long);
      for (const word of words.filter((one) => /^--[a-z]/.test(one)))
        if (!known.includes(word.split('=')[0]!) && word !== '--help') wrong.push(`${page}: ${word} in ${line}`);
      if (command.commands.length > 0 && /^[a-z-]+$/.test(words[1] ?? '')) wrong.push(`${page}: ${line}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('every default that docs/operating.md gives for a setting is the default', () => {
  const defaults: Record<string, unknown> = settingsSchema.parse({});
  const wrong: string[] = [];
  let found = 0;
  for (const [, name, given] of read('docs/operating.md').matchAll(/`(\w+)`(?: \(| \| )(\d+)\b(?!\.| ?[MG]iB)/g)) {
    if (!(name! in defaults)) continue;
    found++;
    if (String(defaults[name!]) !== given) wrong.push(`${name}: ${given}, not ${defaults[name!]}`);
  }
  assert.ok(found >= 8, `${found} found`);
  assert.deepEqual(wrong, []);
});

/**
 * A clause that begins with "what", "whatever" or "whoever", or "who" right after a preposition, and stands for a noun: "what
 * came waits", "says what it did", "for who guesses". Not counted: questions ("What is wrong?"), "what to do", "who" after a
 * noun ("the user who left"), and "whatever" before a noun ("whatever the case").
 */
const nounClause =
  /\b(?:what(?!\s+to\b)|whatever(?!\s+(?:the|their|its|process)\b)|whoever|(?<=\b(?:for|of|from|to|by|with)\s)who)\b/gi;

function nounClauses(text: string): string[] {
  return text
    .split(/(?<=[.?!:;])\s+|\n\s*\n|\|/)
    .filter((sentence) => !sentence.trim().endsWith('?'))
    .flatMap((sentence) => [...sentence.matchAll(nounClause)].map(() => sentence.trim().replace(/\s+/g, ' ')));
}

function perThousand(text: string): { rate: number; found: string[] } {
  const found = nounClauses(text);
  return {
    rate: (found.length * 1000) / Math.max(1, text.split(/\s+/).filter((word) => /\w/.test(word)).length),
    found,
  };
}

/** A page without code, and without the parts that a program writes. */
function proseOf(page: string): string {
  return read(page)
    .replace(/<!-- Written by[\s\S]*?<!-- to here -->/g, '')
    .replace(/^\| `\w+` \| (?:refusal|hold|fault|warning) .*$/gm, '')
    .replace(/```[\s\S]*?```/g, '')
    .replace(/`[^`]*`/g, '');
}

function commentsOf(room: string): string {
  return globSync(`${room}/**/*.ts`)
    .flatMap((file) => [...read(file).matchAll(/\/\*\*?([\s\S]*?)\*\/|(?:^|\s)\/\/ (.*)$/gm)])
    .map(([, block, line]) => (block ?? line!).replace(/^\s*\*/gm, '').replace(/`[^`]*`/g, ''))
    .join('\n\n');
}

/** Noun clauses in 1,000 words. */
const mostClauses = 1;

test('documents use no "what" clause where a noun will do', () => {
  // docs/settings.md has the words of the schema.
  const written = pages.filter((page) => page !== 'docs/settings.md');
  const { rate, found } = perThousand(written.map(proseOf).join('\n\n'));
  assert.ok(rate <= mostClauses, `${rate.toFixed(2)} in 1,000 words:\n${found.join('\n')}`);
});

for (const room of rooms) {
  test(`comments of ${room}/ use few "what" clauses`, () => {
    const { rate, found } = perThousand(commentsOf(room));
    assert.ok(rate <= mostClauses, `${rate.toFixed(2)} in 1,000 words:\n${found.join('\n')}`);
  });
}

test('a noun clause is told from a question and from a relative clause', () => {
  assert.equal(nounClauses('The log says what it did. What came waits. A pause for who guesses.').length, 3);
  assert.equal(nounClauses('What is wrong? The user who left. It says what to do, whatever the case.').length, 0);
});
