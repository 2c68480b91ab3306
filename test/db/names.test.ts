/** Names for archives and reports: each operating system can store them, and no two characters become half of one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fitName, foldName, safeName } from '../../db/control/names.js';
import { fc } from '../support/properties.js';

test('a name becomes safe on every operating system', () => {
  const cases: Record<string, string> = {
    'users.csv': 'users.csv',
    'Zürich 名前.csv': 'Zürich 名前.csv',
    'Zu\u0308rich.csv': 'Zürich.csv',
    'a\\b:c*d?e"f<g>h|i.csv': 'a_b_c_d_e_f_g_h_i.csv',
    'users.csv. . ': 'users.csv',
    '...': '_',
    ' ': '_',
    'a\nb\x1b\u2028.csv': 'a_b__.csv',
    CON: '_CON',
    'nul.tar.gz': '_nul.tar.gz',
    'com1.csv': '_com1.csv',
    'com10.csv': 'com10.csv',
    'console.csv': 'console.csv',
  };
  for (const [name, safe] of Object.entries(cases)) assert.equal(safeName(name), safe, JSON.stringify(name));
});

test('any name becomes one of at most 255 bytes that is safe already', () => {
  const part = fc.constantFrom('a', '.', ' ', ':', 'é', 'e\u0301', '\u0958', '😀', 'con', '\n', 'x'.repeat(60));
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 90 }), (parts) => {
      const safe = safeName(parts.join(''));
      assert.ok(safe.length > 0 && Buffer.byteLength(safe) <= 255);
      assert.equal(safeName(safe), safe);
    }),
  );
});

test('a name is cut by whole characters, and its suffix is whole', () => {
  assert.equal(fitName('😀'.repeat(100), '-2.csv'), `${'😀'.repeat(62)}-2.csv`);
  assert.equal(fitName('abc', '.csv', 6), 'ab.csv');
  assert.equal(foldName('E\u0301.CSV'), foldName('é.csv'));
});
