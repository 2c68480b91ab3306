/** HTML of the console: every text is escaped, and all words are in one place. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { globSync } from 'tinyglobby';
import { html, path } from '../../../web/console/html.js';
import { csv } from '../../support/company.js';
import { openTestConsole } from '../../support/console.js';

test('values are escaped in text and attributes, unless they are HTML of the template', () => {
  const evil = `"><script>alert('x')</script>&`;
  assert.equal(
    html`<p title="${evil}">${evil}</p>`.text,
    '<p title="&#34;&#62;&#60;script&#62;alert(&#39;x&#39;)&#60;/script&#62;&#38;">&#34;&#62;&#60;script&#62;alert(&#39;x&#39;)&#60;/script&#62;&#38;</p>',
  );
  assert.equal(
    html`${html`<b>${'<'}</b>`}${[1, '<', null, undefined, false, html`<i></i>`]}`.text,
    '<b>&#60;</b>1&#60;<i></i>',
  );
  assert.equal(path`/orgs/${'a/../b?c'}/runs/${7}`, '/orgs/a%2F..%2Fb%3Fc/runs/7');
});

test('markup in names, cells, labels and comments is shown as text', async (t) => {
  const evil = '<img src=x onerror=alert(1)>';
  const { acme, person } = await openTestConsole(t, { change: { name: evil } });
  const admin = await person('admin', 'acme');
  const quoted = `"${evil}"`;
  const { run } = await acme.import({
    'users.csv': csv(`User Email,First Name,${quoted}`, `ann@acme.test,${quoted},${quoted}`, `${quoted},Bob,x`),
  });
  await acme.drop(`/${evil.replace('/', '')}.csv`, 'x');
  for (const page of ['', `/imports/${run}`, '/people', '/people/ann@acme.test', '/help']) {
    const { status, text } = await admin.get(`/orgs/acme${page}`);
    assert.equal(status, 200, page);
    assert.ok(text.includes('&#60;img src=x onerror=alert(1)&#62;'), `${page} shows it`);
    assert.ok(!text.includes('<img'), page);
  }
  const search = await admin.get(
    `/orgs/acme/people?search=${encodeURIComponent(evil)}&status=${encodeURIComponent('"><img>')}`,
  );
  assert.ok(!search.text.includes('<img'));
});

test('a page shows the notices of the console alone, whatever its address asks for', async (t) => {
  const { person } = await openTestConsole(t);
  const admin = await person('admin', 'acme');
  const textOf = async (done: string) => (await admin.get(`/orgs/acme?done=${done}`)).text;
  assert.match(await textOf('saved'), /<div class="notice good" role="status"><p>Saved\.<\/p>/);
  for (const done of ['constructor', '__proto__', 'toString', 'other'])
    assert.doesNotMatch(await textOf(done), /class="notice good"/, done);
});

test('pages have no words of their own: all are in web/console/texts', () => {
  const found = globSync(['web/console/pages/*.ts', 'web/console/layout.ts', 'web/console/visitors.ts']).flatMap(
    (file) => {
      const source = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
      // Text between a tag's end and the next tag or value, in a line with markup.
      return [...source.matchAll(/<[a-z][^`\n]*?>([^<>`${}\n=;]*[A-Za-z]{2,}[^<>`${}\n=;()]*)(?:<|\$\{)/g)].map(
        ([, words]) => `${file}: ${words}`,
      );
    },
  );
  assert.deepEqual(found, []);
});
