/** The table of `orgs set`: its parser, its errors, its help and its page in the docs. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { renderSettingsHelp } from '../../../cli/views/orgsettings.js';
import { settingsSchema } from '../../../config/settings.js';
import { isTimeOfDay } from '../../../config/timeofday.js';
import { mergeLimits } from '../../../operations/orgsettings/limitrows.js';
import {
  checkOrgId,
  describeChange,
  listSettings,
  type OrgSetting,
  orgSettings,
  readAssignments,
  readOrgFields,
} from '../../../operations/orgsettings/orgsettings.js';
import { renderOrgReference } from '../../../operations/orgsettings/reference.js';
import { sampleOrg } from '../../support/samples.js';

test('keys are read in camelCase and in kebab-case', () => {
  assert.deepEqual(readAssignments(['slot=03:30', 'time-zone=Europe/Berlin', 'dateFormat=dmy', 'teams=replace']), {
    slot: '03:30',
    timeZone: 'Europe/Berlin',
    dateFormat: 'dmy',
    teamsMode: 'replace',
  });
  assert.deepEqual(readAssignments(['name=a=b']), { name: 'a=b' });
});

test('limits are read with their units; "default" takes them away', () => {
  const fields = readAssignments(['maxStoredBytes=20GiB', 'max-files=500', 'maxFileBytes=default']);
  assert.deepEqual(fields, { limits: { maxStoredBytes: 20 * 1024 ** 3, maxFiles: 500, maxFileBytes: null } });
  assert.deepEqual(mergeLimits({ maxFileBytes: 5, maxNameBytes: 9 }, fields.limits!), {
    maxNameBytes: 9,
    maxStoredBytes: 20 * 1024 ** 3,
    maxFiles: 500,
  });
  for (const wrong of [
    'maxFiles=0',
    'maxFiles=many',
    'maxNameBytes=256',
    'maxStoredBytes=-1',
    'maxFileBytes=1.5GiB',
    'maxFiles=1KiB',
  ])
    assert.throws(
      () => readAssignments([wrong]),
      /^OperationError: \w+ must be a (whole number|size) .*default, not "/,
    );
});

test('an unknown key names the nearest known one, or else lists all', () => {
  assert.throws(() => readAssignments(['slott=03:30']), /unknown setting "slott"; did you mean slot\?/);
  assert.throws(() => readAssignments(['max-file-byte=5']), /did you mean maxFileBytes\?/);
  const names = orgSettings.map(({ name }) => name).join(', ');
  assert.throws(
    () => readAssignments(['colour=red']),
    (error: Error) => error.message.endsWith(names),
  );
  assert.throws(() => readAssignments(['slot']), /KEY=VALUE/);
});

for (const [name, value] of Object.entries({
  slot: '24:00',
  timeZone: 'Berlin',
  dateFormat: 'ymd',
  teams: 'merge',
  owner: 'jane',
  name: ' ',
})) {
  test(`${name} refuses "${value}", lists the values it takes and gives an example`, () => {
    assert.throws(() => readOrgFields({ [name]: value }), {
      code: 'usage',
      message: new RegExp(`^${name} must be .*, not "${value}"; example: ${name}=`),
    });
  });
}

test('an id is an SSH user name', () => {
  for (const id of ['acme', 'a', '0-x_y.z', 'a'.repeat(32)]) checkOrgId(id);
  for (const id of ['', 'Acme', '-acme', '.acme', 'ac me', 'a/b', 'ä', 'a'.repeat(33), 'a\n'])
    assert.throws(() => checkOrgId(id), { code: 'usage' }, id);
});

test('the audit trail says what changed, but no address', () => {
  const org = sampleOrg('acme');
  assert.deepEqual(describeChange(org, { slot: '04:00', ownerEmail: 'bob@acme.test', name: org.name }), {
    slot: { from: '02:00', to: '04:00' },
    ownerEmail: 'changed',
  });
});

const server = settingsSchema.parse({});

test('docs/organization-settings.md is up to date (else: npm run docs)', () => {
  assert.equal(readFileSync('docs/organization-settings.md', 'utf8'), renderOrgReference());
});

for (const setting of orgSettings) {
  test(`the row of ${setting.name} is complete, and its texts are read as they are written`, () => {
    const { name, meaning, example, default: standard, read, write } = setting;
    assert.match(meaning, /^[A-Z].*\.$/);
    const value = read(example);
    assert.notEqual(value, null, example);
    assert.deepEqual(read(write(value as never)), value);
    if (standard !== null && typeof standard === 'object') {
      const inForce = server[standard.setting];
      if (inForce !== undefined) assert.deepEqual(read(write(inForce as never)), inForce, 'the default can be set');
    }
    const fields = readOrgFields({ [name]: example });
    const org = sampleOrg('acme', { ...fields, limits: {}, options: {} });
    const changed = { ...org, limits: { ...fields.limits }, options: { ...fields.options } } as typeof org;
    const shown = listSettings(changed, server).find((one) => one.setting.name === name)!;
    assert.deepEqual([shown.text, shown.isDefault], [write(value as never), false]);
  });
}

test('"default" restores the default, also of fields, but is a name like others', () => {
  assert.deepEqual(
    readAssignments(['slot=default', 'teams=default', 'hours=default', 'plan=default', 'name=default']),
    {
      ...{ slot: '02:00', teamsMode: 'add', options: { hours: null }, plan: 'default', name: 'default' },
    },
  );
  assert.throws(() => readAssignments(['owner=default']), { code: 'usage' });
});

test('words and shares are read in each of their forms', () => {
  const { options } = readAssignments(['maxUpdatedShare=0.25', 'smallerThan=7%', 'earlyCheck=NO', 'encoding=UTF-16']);
  assert.deepEqual(options, { maxUpdatedShare: 0.25, smallerThan: 0.07, earlyCheck: false, encoding: 'utf-16' });
  const shown = listSettings(sampleOrg('acme', { options: { smallerThan: 0.07 } }), server);
  assert.equal(shown.find(({ setting }) => setting.name === 'smallerThan')!.text, '7%');
});

/**
 * How a setting is added: its value in `OrgOptions`, and one row in `optionRows`. Everything else is made from the row; this
 * test adds one to a copy of the table.
 */
test('a new row is read, refused, explained in the help, shown and documented', () => {
  const lunch: OrgSetting = {
    name: 'lunchBreak',
    place: 'options',
    takesDefault: true,
    group: 'Import schedule',
    meaning: 'Time of day at which no run starts.',
    takes: ['a time of day from 00:00 to 23:59'],
    example: '12:30',
    default: 'none',
    read: (text) => (isTimeOfDay(text) ? text : null),
    write: String,
  };
  const table = [...orgSettings, lunch];
  const fields = readOrgFields({ 'lunch-break': '12:30' }, table);
  assert.deepEqual(fields, { options: { lunchBreak: '12:30' } });
  assert.throws(() => readOrgFields({ lunchBreak: 'noon' }, table), {
    code: 'usage',
    message: 'lunchBreak must be a time of day from 00:00 to 23:59, or default, not "noon"; example: lunchBreak=12:30',
  });
  assert.match(renderSettingsHelp(table), /\n {2}lunchBreak +Time of day at which no run starts\.\n/);
  assert.match(renderOrgReference(table), /\n\| `lunchBreak` \| Time of day .* \| none \| `lunchBreak=12:30` \|\n/);
  const org = sampleOrg('acme', { options: fields.options as object });
  assert.equal(listSettings(org, server, table).at(-1)!.text, '12:30');
});
