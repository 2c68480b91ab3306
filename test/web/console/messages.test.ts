/** People of an organization have no command line: no page sends them to commands, or names options in parentheses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setDoorAlarm } from '../../../db/control/alarms.js';
import { type CodeName, codes, makeIssue } from '../../../importer/codes.js';
import { getRun } from '../../../operations/runs.js';
import { summaryOf } from '../../../operations/runsummary.js';
import { routes } from '../../../web/console/table.js';
import { csv } from '../../support/company.js';
import { openTestConsole, type TestConsole } from '../../support/console.js';

const ofOperators =
  /dropslot [a-z]|see the log|\((?:setting )?[a-z]+[A-Z]\w*\)|\(setting \w+\)|\((?:users|fields|orgs) [a-z]+/;

const issues = (Object.keys(codes) as CodeName[]).map((code) => makeIssue(code, { line: 2, column: 'Office' }));

/** An alarm of a source, a failed run, a refused header, and every message of an import in a summary and as a reason to hold. */
async function fill({ acme, place, clock }: TestConsole) {
  const { write } = place.control;
  await place.control.transact((tx) =>
    setDoorAlarm(tx, 'acme', { kind: 'source_failing', subject: 'source 3', detail: { since: clock.now } }, true, 1),
  );
  const rows = Array.from({ length: 12 }, (_, index) => `user${index}@acme.test,Ann,`);
  const header = 'User Email,First Name,Deactivation Date';
  await acme.import({ 'teams.csv': csv('Team Name', 'North') });
  const failed = await acme.import({ 'users.csv': csv(header, ...rows) });
  const all = await acme.import({ 'users.csv': csv(header, ...rows, 'no address,Bob,,') });
  const refused = await acme.import({ 'people.csv': csv('Work Email,Name', 'ann@acme.test,Ann') });
  const held = await acme.import({ 'users.csv': csv(header, ...rows.map((row) => `${row}2020-01-01`)) });
  await acme.drop('/photo.jpg', 'x');
  const failure = 'given up after 5 attempts; see the log';
  await write('runs').where({ id: failed.run }).update({ state: 'failed', failure });
  const change = async (id: number, shown: object) => {
    const summary = { ...summaryOf(await getRun(place, String(id)))!, ...shown };
    await write('runs')
      .where({ id })
      .update({ summary: JSON.stringify(summary) });
  };
  const [file] = summaryOf(await getRun(place, String(all.run)))!.files;
  const problems = issues.map(({ code, severity, message, column }) => ({ code, severity, message, column, count: 1 }));
  await change(all.run!, { files: [{ ...file, problems }] });
  await change(held.run!, { hold: issues.map(({ code, message }) => ({ code, message })) });
  return { all: all.run!, failed: failed.run!, refused: refused.run!, held: held.run! };
}

test('no page of an admin or a viewer has a command or an option, whatever went wrong', async (t) => {
  const site = await openTestConsole(t);
  const runs = await fill(site);
  for (const role of ['admin', 'viewer'] as const) {
    const person = await site.person(role, 'acme');
    const values: Record<string, string> = { org: 'acme', email: 'user1@acme.test', team: 'North', file: 'users.csv' };
    const shown = routes.filter(({ method, path }) => method === 'GET' && path.startsWith('/orgs/{org}'));
    const paths = shown.flatMap(({ path }) =>
      (path.includes('{run}') ? Object.values(runs) : [0]).map((run) =>
        path.replace(/\{(\w+)\}/g, (_, name: string) => (name === 'run' ? String(run) : values[name]!)),
      ),
    );
    for (const path of paths.filter((one) => !/\.\w+$|download$|progress$/.test(one))) {
      site.clock.ms += 1_000;
      const { text } = await person.get(path);
      const read = text.replace(/&#34;/g, '"').replace(/&#39;/g, "'");
      assert.doesNotMatch(read, ofOperators, `${role} ${path}`);
    }
    const page = async (path: string) => (await person.get(`/orgs/acme${path}`)).text;
    assert.match(await page(''), /No file can be taken from source 3 since .*: ask your operator\.</);
    assert.match(await page(''), /rename it, or ask your operator to allow such names/);
    assert.match(await page(`/imports/${runs.failed}`), /Given up after 5 attempts; ask your operator\./);
    const refusal = await page(`/imports/${runs.refused}`);
    if (role === 'admin')
      assert.match(
        refusal,
        /, or choose what the column means, on the page <a href="\/orgs\/acme\/check">Check a file<\/a>\. The/,
      );
    else
      assert.match(
        refusal,
        /, or ask an admin of your organization to choose what the column means, on the page &#34;Check a/,
      );
    assert.match(await page(`/imports/${runs.all}`), /ask your operator to allow it and send the row again/);
  }
});

test('the result of a check has no command either, and operators read the messages whole', async (t) => {
  const site = await openTestConsole(t);
  const runs = await fill(site);
  const file = new File([csv('Work Email,Name', 'ann@acme.test,Ann')], 'people.csv', { type: 'text/csv' });
  const admin = await site.person('admin', 'acme');
  const checked = await admin.post('/orgs/acme/check', { file });
  assert.equal(checked.status, 200);
  assert.match(checked.text, /would be refused/);
  assert.doesNotMatch(checked.text, ofOperators);
  assert.match(checked.text, /choose what the column means, on the page <a href="\/orgs\/acme\/check">/);
  const operator = await site.person('operator');
  const page = async (path: string) => (await operator.get(`/orgs/acme${path}`)).text;
  assert.match(await page(''), /see &#34;dropslot sources show 3&#34;/);
  assert.match(await page(`/imports/${runs.refused}`), /dropslot orgs set acme aliases=/);
  assert.match(await page(`/imports/${runs.all}`), /\(users readmit\)/);
});
