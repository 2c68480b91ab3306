/** The words of mails: of every event and every form of it, for people and for operators, with commands that exist. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { App } from '../../cli/app.js';
import { loadGroups } from '../../cli/groups.js';
import { createProgram } from '../../cli/program.js';
import { mailCategories, operatorOnly } from '../../events/mail/categories.js';
import { composeMail } from '../../events/mail/compose.js';
import type { SectionContext } from '../../events/mail/section.js';
import { wordEvent } from '../../events/mail/sections.js';
import { findType } from '../../events/types.js';
import { explainCode } from '../../importer/codes.js';

const context: SectionContext = {
  ...{ timeZone: 'Europe/Berlin', isOperator: false, contact: 'People IT', explainCode },
  problemsOf: async () => ['Row has no email (users.csv:line 3)'],
  nameOf: async (upload) => (upload === null ? null : 'users.csv'),
  nextImport: Date.UTC(2026, 1, 2, 1),
};

type Form = [type: string, data: Record<string, unknown>, org?: null];

const doors = [
  { kind: 'source_failing', source: 3 },
  { kind: 'source_failing', folder: 4 },
  { kind: 'host_key_changed', source: 3 },
];
const disabled = { subscriber: 'sub_1a2b3c4d5e6f7081', reason: 'HTTP 500', failures: 12 };

/** Beside the example of each type. */
const forms: Form[] = [
  ...doors.flatMap((data): Form[] => [
    ['alarm.opened', data],
    ['alarm.resolved', data],
  ]),
  ...['missing', 'shrunk', 'unchanged'].map((kind): Form => ['alarm.opened', { kind, files: 'teams' }]),
  ...['webhook', 'command', 'mail', 'export', 'embedded'].map(
    (kind): Form => ['webhook.disabled', { ...disabled, kind }],
  ),
  ['webhook.disabled', { ...disabled, kind: 'mail' }, null],
  ['key.expiring', { key: 'password:1a2b3c', label: '', expiresAt: 1_770_000_000_000, days: 1 }],
  ['check.would_refuse', { upload: 41, type: null, rows: 0, dryRun: true }],
  ['run.completed_with_problems', { run: 1, kind: 'slot', users: { warnings: 1 }, teams: {}, files: 1, refused: 0 }],
  ['run.completed_with_problems', { run: 1, kind: 'slot', users: {}, teams: {}, files: 1, refused: 1 }],
];

const examples = Object.values(mailCategories)
  .flat()
  .map((name): Form => [name, findType(name)!.example]);

async function wordAs(isOperator: boolean, [type, data, org]: Form) {
  const of = org === undefined ? 'acme' : org;
  const event = { id: 'evt_1', type, org: of, at: '2026-02-02T00:00:00Z', version: 1 as const, data };
  return (await wordEvent(event, { ...context, isOperator }))!;
}

test('every event of every kind of mail has words, for people and for operators', async () => {
  const isForOperators = (name: string) => operatorOnly.some((category) => mailCategories[category].includes(name));
  for (const form of [...examples, ...forms]) {
    const [name] = form;
    assert.ok(findType(name)!.data.safeParse(form[1]).success, `${name} ${JSON.stringify(form[1])}`);
    for (const isOperator of [false, true]) {
      const { text, html } = composeMail([await wordAs(isOperator, form)], { about: 'Acme', footer: [] });
      assert.doesNotMatch(text + html, /undefined|NaN|null|\[object/, name);
      for (const line of text.split('\n')) assert.ok(line.length <= 90 || line.startsWith('    '), line);
      if (!isOperator && !isForOperators(name)) assert.doesNotMatch(text, /dropslot /, name);
    }
  }
});

test('a mail about an import counts users and teams that exist only because others name them', async () => {
  const data = { run: 1, kind: 'slot', users: { updated: 1, stubs: 2 }, teams: { created: 1 }, files: 1, refused: 0 };
  const { paragraphs } = await wordAs(false, ['run.completed', data]);
  assert.equal(
    paragraphs[0],
    'Users: 0 created, 2 created because others name them, 1 updated, 0 unchanged, 0 deactivated, 0 to be deactivated later. Teams: 1 created, 0 updated, 0 unchanged.',
  );
});

test('a mail about a file names it, and the time until which a corrected one counts', async () => {
  const check = { upload: 41, type: null, rows: 0, dryRun: false };
  const { heading, paragraphs } = await wordAs(false, ['check.would_refuse', check]);
  assert.equal(heading, 'The file users.csv will be refused by the next import');
  assert.match(paragraphs[0]!, /before the import \(Monday 2 February 2026, 02:00/);
});

test('a mail about a handler that was disabled names the command that enables it', async () => {
  const { heading, command } = await wordAs(true, ['webhook.disabled', { ...disabled, kind: 'embedded' }]);
  assert.equal(heading, 'The handler sub_1a2b3c4d5e6f7081 was disabled');
  assert.equal(command, 'dropslot handlers enable sub_1a2b3c4d5e6f7081');
});

test('a mail about hourly backups that are overdue does not speak of 0 days, nor end a question with a full stop', async () => {
  const overdue = await wordAs(true, ['backup.overdue', { since: 1_770_000_000_000, days: 0 }]);
  assert.equal(overdue.heading, 'No backup was made since Monday 2 February 2026, 03:40 CET');
  assert.match(overdue.paragraphs[0]!, /^Make a backup\. If backups are scheduled \(the setting backupTo\), /);
  const failed = await wordAs(true, ['backup.failed', { reason: '/b is gone: is its volume mounted?' }]);
  assert.equal(failed.paragraphs[0], 'The reason: /b is gone: is its volume mounted?');
});

/** A program whose commands end as soon as their arguments and options are accepted. */
async function parserOfCommands(): Promise<(line: string) => Promise<void>> {
  class Accepted extends Error {}
  const stop = () => Promise.reject(new Accepted());
  const app: App = { version: '0.0.0', serve: stop, runSubsystem: stop, openWorkplace: stop };
  const program = createProgram(await loadGroups(), app);
  return (line) => {
    const words = line.replaceAll(/\s+/g, ' ').trim().split(' ').slice(1);
    return program.parseAsync(words, { from: 'user' }).then(
      () => {},
      (error: Error) => {
        if (!(error instanceof Accepted)) throw new Error(`${line}: ${error.message}`);
      },
    );
  };
}

test('every command that a mail names can be called as it is written', async () => {
  const parse = await parserOfCommands();
  await assert.rejects(parse('dropslot keys rotate acme SHA256:abc FILE'), /too many arguments|keys rotate/);
  let found = 0;
  for (const form of [...examples, ...forms]) {
    const { command = '', paragraphs } = await wordAs(true, form);
    const quoted = [...paragraphs.join('\n').matchAll(/"(dropslot [^"]+)"/g)].map(([, line]) => line!);
    for (const line of [...command.split('\n').filter((one) => one !== ''), ...quoted]) {
      await parse(line);
      found++;
    }
  }
  assert.ok(found > 15, String(found));
});
