/** Filters of SCIM: their grammar with its bounds, and the resources that fit them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ScimError } from '../../../operations/scim/error.js';
import { parseFilter } from '../../../operations/scim/filter.js';
import { matches, type Resource } from '../../../operations/scim/match.js';
import { enterpriseUrn, userType, userUrn } from '../../../operations/scim/schemas.js';
import { readSelection, select } from '../../../operations/scim/selection.js';

const ann: Resource = {
  schemas: [userUrn, enterpriseUrn],
  id: '7',
  userName: 'Ann@acme.test',
  name: { givenName: 'Änn', familyName: 'Lee' },
  active: true,
  emails: [
    { value: 'ann@acme.test', type: 'work', primary: true },
    { value: 'ann@home.test', type: 'home' },
  ],
  [enterpriseUrn]: { department: 'Sales', manager: { value: '9' } },
  meta: { resourceType: 'User', created: '2026-01-01T00:00:00.000Z', lastModified: '2026-02-01T12:00:00.000Z' },
};
const bob: Resource = { schemas: [userUrn], id: '8', userName: 'bob@acme.test', active: false };

const cases: [filter: string, annFits: boolean, bobFits: boolean][] = [
  ['userName eq "ANN@acme.test"', true, false],
  ['UserName EQ "ann@acme.test"', true, false],
  [`${userUrn}:userName sw "ANN"`, true, false],
  ['userName co "ACME"', true, true],
  ['userName ew "b@acme.test"', false, true],
  ['userName ne "bob@acme.test"', true, false],
  ['name.givenName eq "ÄNN"', true, false],
  ['name.givenName ne "x"', true, true],
  ['name.givenName pr', true, false],
  ['name pr', true, false],
  ['title eq null', true, true],
  ['name.familyName ne null', true, false],
  ['active eq true', true, false],
  ['active eq "False"', false, true],
  ['not (active eq true)', false, true],
  ['id eq "7"', true, false],
  ['id gt "7"', false, true],
  ['meta.lastModified gt "2026-02-01T11:59:59Z"', true, false],
  ['meta.lastModified ge "2026-02-01T13:00:00+01:00"', true, false],
  ['meta.lastModified lt "2026-02-01T12:00:00Z"', false, false],
  ['emails eq "ann@home.test"', true, false],
  ['emails.value co "home"', true, false],
  ['emails[type eq "work" and value co "acme"]', true, false],
  ['emails[type eq "work" and value co "home"]', false, false],
  ['emails[not (type eq "work")]', true, false],
  [`${enterpriseUrn}:department eq "sales"`, true, false],
  [`${enterpriseUrn}:manager.value eq "9"`, true, false],
  ['active eq false or active eq true and id eq "7"', true, true],
  ['(active eq false or active eq true) and id eq "7"', true, false],
  ['userName eq "a\\"b" or userName eq "\\u0061nn@acme.test"', true, false],
  [`schemas eq "${enterpriseUrn}"`, true, false],
];

test('a filter fits the resources that RFC 7644 says', () => {
  for (const [text, annFits, bobFits] of cases) {
    const filter = parseFilter(text, userType);
    assert.deepEqual([matches(ann, filter), matches(bob, filter)], [annFits, bobFits], text);
  }
});

test('a wrong filter is refused with the reason', () => {
  const nested = (depth: number) => `${'('.repeat(depth)}id pr${')'.repeat(depth)}`;
  const wrong: [string, RegExp][] = [
    ['', /name of an attribute is missing/],
    ['userName', /operator is missing/],
    ['userName eq', /value is missing/],
    ['userName eq ann', /"text" in quotes/],
    ['userName eq "ann', /can't be read/],
    ['userName is "ann"', /none of eq, ne/],
    ['usrName eq "ann"', /"usrName" is no attribute of User; see \/Schemas/],
    ['name.first eq "x"', /no attribute/],
    ['userName eq 1', /takes a text/],
    ['active gt true', /has no meaning/],
    ['active eq "yes"', /true or false/],
    ['meta.created ge "yesterday"', /time such as/],
    ['meta.created co "2026-01-01T00:00:00Z"', /has no meaning/],
    ['name eq "x"', /has parts/],
    ['userName gt null', /no null/],
    ['(id pr', /"\)" is missing/],
    ['id pr)', /"and" or "or" is missing/],
    ['id pr id pr', /"and" or "or" is missing/],
    ['userName[value eq "x"]', /takes no \[ \]/],
    ['emails[id eq "x"]', /no attribute/],
    ['emails[value eq "x"', /"\]" is missing/],
    ['not id pr', /no attribute/],
    [nested(25), /nested more than 20/],
    [Array(60).fill('id pr').join(' or '), /more than 50 terms/],
    [`userName eq "${'x'.repeat(2_000)}"`, /more than 2000 characters/],
  ];
  for (const [text, message] of wrong)
    assert.throws(
      () => parseFilter(text, userType),
      (error: ScimError) =>
        error instanceof ScimError && error.scimType === 'invalidFilter' && message.test(error.message),
      text.slice(0, 80),
    );
  assert.equal(matches(ann, parseFilter(nested(19), userType)), true);
});

test('an answer has the attributes that were asked for', () => {
  const show = (attributes: string[], excluded: string[] = []) =>
    select(ann, readSelection(userType, attributes, excluded));
  const always = { schemas: ann.schemas, id: '7' };
  assert.deepEqual(show(['userName', 'nothing']), { ...always, userName: 'Ann@acme.test' });
  assert.deepEqual(show(['NAME.givenname', 'name.familyName']), { ...always, name: ann.name });
  assert.deepEqual(show(['emails.value', 'emails.type']), {
    ...always,
    emails: [
      { value: 'ann@acme.test', type: 'work' },
      { value: 'ann@home.test', type: 'home' },
    ],
  });
  assert.deepEqual(show([`${enterpriseUrn}:department`]), { ...always, [enterpriseUrn]: { department: 'Sales' } });
  assert.deepEqual(show([enterpriseUrn]), { ...always, [enterpriseUrn]: ann[enterpriseUrn] });
  const { name: _name, emails: _emails, [enterpriseUrn]: _enterprise, ...rest } = ann;
  const without = show([], ['name', 'emails', enterpriseUrn, 'id', 'schemas']);
  assert.deepEqual(without, rest);
  assert.deepEqual(show([], ['emails.primary', 'emails.type']).emails, [
    { value: 'ann@acme.test' },
    { value: 'ann@home.test' },
  ]);
  assert.throws(() => readSelection(userType, ['id'], ['id']), { scimType: 'invalidValue' });
});
