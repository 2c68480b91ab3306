/** SCIM of organizations over HTTP: discovery, users, groups, filters, pages, ETags, and errors in SCIM's own form. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import SCIMMY from 'scimmy';
import { takeShare } from '../../../operations/places.js';
import { parseFilter } from '../../../operations/scim/filter.js';
import { matches, type Resource } from '../../../operations/scim/match.js';
import { enterpriseUrn, groupUrn, userType, userUrn } from '../../../operations/scim/schemas.js';
import { longSearches } from '../../../operations/scim/scim.js';
import { openApi, type TestApi } from '../../support/api.js';
import { onBothDatabases } from '../../support/databases.js';

const messages = 'urn:ietf:params:scim:api:messages:2.0';

/** Seven users of acme with its owner, in two teams, and a user of another organization. */
async function fill({ place }: TestApi): Promise<void> {
  const db = place.directory.write;
  const fields = [
    ['f1', 'Department'],
    ['f2', 'Employee ID'],
    ['f3', 'Job Title'],
  ].map(([id, label], position) => ({
    ...{ id, org_id: 'acme', label, label_key: label!.toLowerCase().replaceAll(' ', ''), type: 'text', position },
    created_at: 1,
  }));
  await db('fields').insert(fields);
  const owner = await db('users').where({ org_id: 'acme' }).first();
  const user = (n: number, more: object = {}) => ({
    ...{ org_id: 'acme', email: `U${n}@acme.test`, email_key: `u${n}@acme.test`, user_name: null },
    ...{ first_name: null, last_name: null, manager_id: null },
    ...{ account_type: 'Regular', is_admin: 0, status: 'active', custom: '{}', created_at: n, updated_at: 1_000 * n },
    ...more,
  });
  const custom = JSON.stringify({ f1: 'Sales', f2: '007', f3: 'Agent' });
  await db('users').insert([
    user(1, { first_name: 'Ünal', last_name: 'Ay', manager_id: owner.id, custom }),
    ...[2, 3, 4, 5].map((n) => user(n)),
    user(6, { status: 'deactivated', account_type: 'Observer' }),
    { ...user(9), org_id: 'other' },
  ]);
  await db('teams').insert(
    ['East', 'West'].map((name, n) => {
      return { org_id: 'acme', name, name_key: name.toLowerCase(), created_at: n, updated_at: 5_000 };
    }),
  );
  const ids = async (table: string, column: string) =>
    Object.fromEntries((await db(table).where({ org_id: 'acme' })).map((row) => [row[column], row.id]));
  const [users, teams] = [await ids('users', 'email_key'), await ids('teams', 'name_key')];
  const member = (n: number, team: string) => ({ user_id: users[`u${n}@acme.test`], team_id: teams[team] });
  await db('memberships').insert([member(1, 'east'), member(6, 'east'), member(1, 'west')]);
}

onBothDatabases('SCIM', (open) => {
  test('users and groups are found, one by one and by filters, page by page', async (t) => {
    const api = await openApi(t, open);
    await fill(api);
    const { secret } = await api.token('scim', 'acme');
    const get = async (path: string, headers = {}) =>
      api.ask(`/acme${path}`, { base: '/scim/v2', token: secret, headers });
    const list = async (query: string, of = 'Users') => {
      const { status, text, json } = await get(`/${of}?${query}`);
      assert.equal(status, 200, text);
      assert.deepEqual(json.schemas, [`${messages}:ListResponse`]);
      const resources = json.Resources ?? [];
      assert.equal(json.itemsPerPage, resources.length);
      return [
        json.totalResults,
        ...resources.map((one: { userName?: string; displayName: string }) => one.userName ?? one.displayName),
      ];
    };
    const filtered = (filter: string, more = '', of = 'Users') =>
      list(`filter=${encodeURIComponent(filter)}${more}`, of);
    const all = ['owner@acme.test', ...[1, 2, 3, 4, 5, 6].map((n) => `U${n}@acme.test`)];
    assert.deepEqual(await list(''), [7, ...all]);
    assert.deepEqual(await list('startIndex=3&count=2'), [7, ...all.slice(2, 4)]);
    assert.deepEqual(await list('startIndex=-5&count=0'), [7]);
    assert.deepEqual(await list('startIndex=100'), [7]);
    assert.deepEqual(await filtered('userName eq "u1@ACME.test"'), [1, 'U1@acme.test']);
    assert.deepEqual(await filtered('name.givenName eq "ÜNAL"'), [1, 'U1@acme.test']);
    assert.deepEqual(await filtered('active eq false'), [1, 'U6@acme.test']);
    assert.deepEqual(await filtered('meta.lastModified ge "1970-01-01T00:00:05Z"'), [
      3,
      'owner@acme.test',
      ...all.slice(5),
    ]);
    assert.deepEqual(await filtered('userName sw "u"', '&startIndex=2&count=2'), [6, ...all.slice(2, 4)]);
    assert.deepEqual(await filtered('not (userName sw "u") or userType eq "observer"'), [2, all[0], all[6]]);
    assert.deepEqual(await filtered('groups.display eq "west"'), [1, 'U1@acme.test']);
    assert.deepEqual(await filtered(`${enterpriseUrn}:department eq "Sales"`), [1, 'U1@acme.test']);
    assert.deepEqual(await filtered('id eq "x"'), [0]);

    const { json: groups } = await get('/Groups');
    const [east, west] = groups.Resources;
    assert.deepEqual([groups.totalResults, east.displayName, west.displayName], [2, 'East', 'West']);
    assert.deepEqual(
      east.members.map(({ display, type }: Record<string, string>) => [display, type]),
      [
        ['Ünal Ay', 'User'],
        ['U6@acme.test', 'User'],
      ],
    );
    assert.deepEqual(await filtered(`groups.value eq "${east.id}"`), [2, 'U1@acme.test', 'U6@acme.test']);
    assert.deepEqual(await filtered('displayName co "ES"', '', 'Groups'), [1, 'West']);
    assert.deepEqual(await filtered(`members.value eq "${east.members[1].value}"`, '', 'Groups'), [1, 'East']);
    assert.deepEqual(await filtered('members pr', '&count=1', 'Groups'), [2, 'East']);
    const slim = (await get(`/Groups/${east.id}?excludedAttributes=members`)).json;
    assert.deepEqual(Object.keys(slim), ['schemas', 'id', 'displayName', 'meta']);

    const searched = await api.ask('/acme/Users/.search', {
      ...{ base: '/scim/v2', method: 'POST', token: secret, headers: { 'content-type': 'application/scim+json' } },
      body: {
        schemas: [`${messages}:SearchRequest`],
        filter: 'active eq false',
        attributes: ['userName'],
        sortBy: 'id',
      },
    });
    assert.deepEqual(searched.json.Resources, [
      { schemas: [userUrn], id: east.members[1].value, userName: 'U6@acme.test' },
    ]);

    // PostgreSQL takes no U+0000 in a text: it is refused before the database gets it.
    for (const filter of ['userName eq "a\\u0000"', 'emails co "\\u0000"']) {
      const { status, json } = await get(`/Users?filter=${encodeURIComponent(filter)}`);
      assert.deepEqual([status, json.scimType], [400, 'invalidFilter'], filter);
      assert.match(json.detail, /U\+0000/);
    }
    const everyOrg = await api.token('scim');
    assert.equal((await api.ask('/a%00b/Users', { base: '/scim/v2', token: everyOrg.secret })).status, 404);
  });
});

onBothDatabases('searches of texts', (open) => {
  test('the database leaves out no user that fits, whatever letters and signs the texts have', async (t) => {
    const api = await openApi(t, open);
    await fill(api);
    const db = api.place.directory.write;
    // The Kelvin sign and the dotted I fold to ASCII; the others mean something to LIKE, to JSON or to SQL.
    const names = [
      'Karl',
      '\u212Aarl',
      '\u0130ris',
      'Iris',
      '50%_x',
      '50\\x',
      "O'Neil",
      'a"b',
      'Anna',
      'ANNA',
      '',
      null,
    ];
    await db('users').insert(
      names.map((name, n) => ({
        ...{ org_id: 'acme', email: `N${n}_x@acme.test`, email_key: `n${n}_x@acme.test`, account_type: 'Regular' },
        ...{ first_name: name, last_name: n % 3 === 0 ? null : 'Lee', user_name: n === 8 ? 'Doe, Anna' : null },
        ...{ is_admin: 0, status: 'active', custom: JSON.stringify({ f3: name ?? 'none' }) },
        ...{ created_at: 1, updated_at: 1 },
      })),
    );
    const { secret } = await api.token('scim', 'acme');
    const find = async (filter: string) => {
      const path = `/acme/Users?count=500${filter === '' ? '' : `&filter=${encodeURIComponent(filter)}`}`;
      const { json, status } = await api.ask(path, { base: '/scim/v2', token: secret });
      assert.equal(status, 200, filter);
      return json.Resources ?? [];
    };
    const all = await find('');
    const paths = [
      'userName',
      'emails.value',
      'displayName',
      'name.formatted',
      'name.givenName',
      'name.familyName',
      'title',
    ];
    const needles = ['k', 'KARL', 'i', 'iris', '%', '_x', '\\', "o'n", 'a"', 'anna', ' lee', 'Lee', '@ACME', 'ü'];
    for (const path of paths)
      for (const operator of ['co', 'sw', 'ew', 'eq'])
        for (const needle of needles) {
          const filter = `${path} ${operator} ${JSON.stringify(needle)}`;
          const parsed = parseFilter(filter, userType);
          const expected = all.filter((one: Resource) => matches(one, parsed)).map(({ id }: Resource) => id);
          assert.deepEqual(
            (await find(filter)).map(({ id }: Resource) => id),
            expected,
            filter,
          );
        }
  });
});

test('a filter that few rows can fit takes no place; of an organization one long search runs at a time', async (t) => {
  const api = await openApi(t);
  await fill(api);
  const rows = Array.from({ length: 2_100 }, (_, n) => ({
    ...{ org_id: 'acme', email: `z${n}@acme.test`, email_key: `z${n}@acme.test`, account_type: 'Regular' },
    ...{ is_admin: 0, status: 'active', custom: '{}', created_at: 1, updated_at: 1 },
  }));
  for (let from = 0; from < rows.length; from += 100)
    await api.place.directory.write('users').insert(rows.slice(from, from + 100));
  const { secret } = await api.token('scim');
  const find = async (filter: string, org = 'acme') => {
    const query = `filter=${encodeURIComponent(filter)}&count=0`;
    const { status, json } = await api.ask(`/${org}/Users?${query}`, { base: '/scim/v2', token: secret });
    return status === 200 ? json.totalResults : status;
  };
  const long = 'userName co "@acme"';
  const quick = 'userName eq "u1@acme.test" and userName co "@acme"';
  const taken: string[] = [];
  const add = api.busy.add.bind(api.busy);
  api.busy.add = (name) => {
    taken.push(name);
    return add(name);
  };
  // The place of another long search of acme.
  const leave = takeShare(api.busy, 'scim search', 'acme', longSearches)!;
  const inTheWay = taken.splice(0);
  assert.equal(await find(long), 429);
  assert.deepEqual(await Promise.all([1, 2, 3, 4].map(() => find(quick))), [1, 1, 1, 1]);
  assert.equal(await find(long, 'other'), 1);
  assert.deepEqual(taken, []);
  leave();
  assert.equal(await find(long), 2_107);
  assert.deepEqual(taken, inTheWay);
  assert.equal(api.busy.size, 0);
});

test('an answer has a bounded number of groups, and says how to get the others', async (t) => {
  const api = await openApi(t);
  await fill(api);
  const db = api.place.directory.write;
  const [user] = await db('users').where({ email_key: 'u2@acme.test' });
  for (let from = 0; from < 20_000; from += 100) {
    const teams = Array.from({ length: 100 }, (_, n) => `t${String(from + n).padStart(5, '0')}`);
    const made = await db('teams')
      .insert(teams.map((name) => ({ org_id: 'acme', name, name_key: name, created_at: 1, updated_at: 1 })))
      .returning('id');
    await db('memberships').insert(made.map(({ id }) => ({ user_id: user.id, team_id: id })));
  }
  const { secret } = await api.token('scim', 'acme');
  const get = (path: string) => api.ask(`/acme${path}`, { base: '/scim/v2', token: secret });
  const whole = await get(`/Users/${user.id}`);
  assert.deepEqual([whole.status, whole.json.groups.length], [200, 20_000]);
  const many = await get('/Users');
  assert.deepEqual([many.status, many.json.scimType], [400, 'tooMany']);
  assert.match(many.json.detail, /excludedAttributes=groups.*Groups\?filter=members\.value eq/);
  assert.equal((await get('/Users?excludedAttributes=groups')).status, 200);
  const page = await get(
    `/Groups?${new URLSearchParams({ filter: `members.value eq "${user.id}"`, count: '100', excludedAttributes: 'members' })}`,
  );
  assert.deepEqual([page.json.totalResults, page.json.Resources.length], [20_000, 100]);
});

test('resources fit the schemas of RFC 7643, as another implementation knows them', async (t) => {
  const api = await openApi(t);
  await fill(api);
  const { secret } = await api.token('read');
  const get = async (path: string, headers = {}) =>
    api.ask(`/acme${path}`, { base: '/scim/v2', token: secret, headers });
  const { User, Group, EnterpriseUser, ServiceProviderConfig, ResourceType } = SCIMMY.Schemas;
  User.definition.extend(EnterpriseUser.definition);
  const fits = (definition: { coerce(data: object, direction: string): object }, resource: object) =>
    assert.deepEqual(JSON.parse(JSON.stringify(definition.coerce(resource, 'out'))), resource);
  const users = (await get('/Users')).json.Resources;
  assert.equal(users.length, 7);
  for (const user of users) fits(User.definition, user);
  for (const group of (await get('/Groups')).json.Resources) fits(Group.definition, group);
  fits(ServiceProviderConfig.definition, (await get('/ServiceProviderConfig')).json);
  for (const type of (await get('/ResourceTypes')).json.Resources) fits(ResourceType.definition, type);

  const first = users.find(({ userName }: { userName: string }) => userName === 'U1@acme.test');
  const owner = users.find(({ userName }: { userName: string }) => userName === 'owner@acme.test');
  const { groups, meta, ...rest } = first;
  assert.deepEqual(rest, {
    schemas: [userUrn, enterpriseUrn],
    id: first.id,
    userName: 'U1@acme.test',
    name: { formatted: 'Ünal Ay', familyName: 'Ay', givenName: 'Ünal' },
    displayName: 'Ünal Ay',
    title: 'Agent',
    userType: 'Regular',
    active: true,
    emails: [{ value: 'U1@acme.test', type: 'work', primary: true }],
    [enterpriseUrn]: {
      employeeNumber: '007',
      department: 'Sales',
      manager: { value: owner.id, $ref: owner.meta.location, displayName: 'owner@acme.test' },
    },
  });
  assert.deepEqual(
    groups.map(({ display }: { display: string }) => display),
    ['East', 'West'],
  );
  assert.deepEqual(owner.roles, [{ value: 'admin', display: 'Organization admin' }]);

  // Every attribute that a resource has is in /Schemas, which says that none can be written.
  const schemas = (await get('/Schemas')).json.Resources;
  const attributes = (urn: string) => schemas.find(({ id }: { id: string }) => id === urn).attributes;
  const known = (urn: string) => attributes(urn).map(({ name }: { name: string }) => name);
  const common = ['schemas', 'id', 'externalId', 'meta', enterpriseUrn];
  for (const user of users)
    assert.deepEqual(
      Object.keys(user).filter((name) => ![...common, ...known(userUrn)].includes(name)),
      [],
    );
  assert.deepEqual(
    Object.keys(first[enterpriseUrn]).filter((name) => !known(enterpriseUrn).includes(name)),
    [],
  );
  assert.deepEqual(known(groupUrn), ['displayName', 'members']);
  for (const { mutability } of schemas.flatMap((schema: { attributes: object[] }) => schema.attributes))
    assert.equal(mutability, 'readOnly');
  assert.equal((await get(`/Schemas/${userUrn}`)).json.id, userUrn);

  const one = await get(`/Users/${first.id}`);
  assert.deepEqual(one.json, first);
  assert.deepEqual(
    [one.headers.get('content-type'), one.headers.get('etag')],
    ['application/scim+json; charset=utf-8', meta.version],
  );
  assert.equal(one.headers.get('content-location'), meta.location);
  assert.match(meta.version, /^W\//);
  const same = await get(`/Users/${first.id}`, { 'if-none-match': meta.version });
  assert.deepEqual([same.status, same.text], [304, '']);
  await api.place.directory.write('memberships').where({ user_id: first.id }).delete();
  assert.equal((await get(`/Users/${first.id}`, { 'if-none-match': meta.version })).status, 200);
});

test('errors have the form of SCIM, and another organization does not exist', async (t) => {
  const api = await openApi(t);
  await fill(api);
  const { secret } = await api.token('scim', 'acme');
  const { secret: audit } = await api.token('audit');
  const ask = (path: string, asked: object = {}) => api.ask(path, { base: '/scim/v2', token: secret, ...asked });
  const wrong: [string, object, number, RegExp, string?][] = [
    ['/acme/Users', { token: null }, 401, /Bearer/],
    ['/acme/Users', { token: audit }, 403, /"scim"/],
    ['/other/Users', {}, 404, /no organization "other"/],
    ['/nobody/Users', {}, 404, /no organization "nobody"/],
    ['/acme/Users/999999', {}, 404, /no User 999999/],
    ['/acme/Users/x', {}, 404, /no User x/],
    ['/acme/Groups/1e3', {}, 404, /no Group/],
    ['/acme/Schemas/x', {}, 404, /see \/Schemas/],
    ['/acme/Devices', {}, 404, /no such endpoint/],
    ['/acme/Users?filter=usrName%20pr', {}, 400, /no attribute/, 'invalidFilter'],
    ['/acme/Users?count=many', {}, 400, /whole number/, 'invalidValue'],
    ['/acme/Users?attributes=id&excludedAttributes=id', {}, 400, /not both/, 'invalidValue'],
    ['/acme/Users/.search', { method: 'POST', body: { count: 'x' } }, 400, /count/, 'invalidValue'],
    ['/acme/Users/.search', { method: 'POST', body: '{' }, 400, /JSON/],
    ['/acme/ResourceTypes?filter=id%20pr', {}, 403, /no filter/],
    ['/acme/Me', {}, 501, /no \/Me/],
    ...(['POST', 'PUT', 'PATCH', 'DELETE'] as const).flatMap((method): [string, object, number, RegExp][] => [
      ['/acme/Users', { method }, 501, /not written/],
      ['/acme/Groups/1', { method, body: {} }, 501, /not written/],
    ]),
    ['/acme/Bulk', { method: 'POST', body: {} }, 501, /not written/],
  ];
  for (const [path, asked, status, detail, scimType] of wrong) {
    const { status: got, json, headers, text } = await ask(path, asked);
    assert.equal(got, status, `${path}: ${text}`);
    assert.deepEqual(
      [json.schemas, json.status, json.scimType],
      [[`${messages}:Error`], String(status), scimType],
      path,
    );
    assert.match(json.detail, detail);
    assert.match(headers.get('content-type')!, /^application\/scim\+json/);
  }
  const team = await api.place.directory.read('teams').where({ name: 'East' }).first();
  const other = await api.token('scim', 'other');
  assert.equal((await ask(`/other/Groups/${team.id}`, { token: other.secret })).status, 404);
  assert.deepEqual((await ask('/other/Users', { token: other.secret })).json.totalResults, 2);
});
