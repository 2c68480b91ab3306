/** Virtual paths: there is no way out of the root, and no name that a disk, a database or a report could not carry. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkPath,
  compareNames,
  decodePath,
  isBelow,
  isReadOnly,
  joinPath,
  maxDepth,
  normalizePath,
  requireWritable,
  splitPath,
} from '../../storage/path.js';
import { fc } from '../support/properties.js';

const badName = { name: 'SpaceError', code: 'bad_name' };

test('what a client asks for becomes an absolute path below the root', () => {
  const cases: Record<string, string> = {
    '': '/',
    '.': '/',
    '/': '/',
    '//a//b/': '/a/b',
    'users.csv': '/users.csv',
    './in/../users.csv': '/users.csv',
    '../../../etc/passwd': '/etc/passwd',
    '/archive/..': '/',
    '/a/...': '/a/...',
    '/Ünïcode/名前.csv': '/Ünïcode/名前.csv',
  };
  for (const [asked, path] of Object.entries(cases)) assert.equal(normalizePath(asked), path, asked);
});

test('any text normalizes to a path that is normal, or is refused', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('/', '..', '.', 'a', '\0', 'é', ' ', '\\', '//'), { maxLength: 60 }),
      (parts) => {
        let path: string;
        try {
          path = normalizePath(parts.join(''));
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'bad_name');
          return;
        }
        checkPath(path);
        assert.equal(normalizePath(path), path);
        if (path !== '/') assert.equal(joinPath(splitPath(path).dir, splitPath(path).name), path);
      },
    ),
  );
});

test('names that can not be kept are refused', () => {
  for (const path of [
    'relative',
    '/a//b',
    '/a/',
    '/a/..',
    '/./a',
    '/a\0b',
    `/${'x'.repeat(256)}`,
    `/${'é'.repeat(128)}`,
  ])
    assert.throws(() => checkPath(path), badName, JSON.stringify(path));
  assert.throws(() => checkPath('/a\ud800'), badName);
  assert.throws(() => normalizePath('/a'.repeat(maxDepth + 1)), badName);
  for (const path of [`/${'x'.repeat(255)}`, `/${'é'.repeat(127)}`, '/a'.repeat(maxDepth), '/a b', '/a\\b'])
    checkPath(path);
  assert.throws(() => decodePath(Buffer.from([0x2f, 0xff])), badName);
  assert.throws(() => decodePath(Buffer.from([0xc0, 0xaf])), badName);
  assert.equal(decodePath(Buffer.from('\ufeff/é')), '\ufeff/é');
});

test('the read-only folders and all below them are told apart from names that begin alike', () => {
  for (const path of [
    '/archive',
    '/archive/2026',
    '/exports',
    '/exports/a.csv',
    '/reports/a/b',
    '/templates',
    '/README.txt',
  ]) {
    assert.ok(isReadOnly(path));
    assert.throws(() => requireWritable(path), { code: 'read_only' });
  }
  for (const path of ['/', '/archives', '/Archive', '/in/archive', '/reports.csv', '/in/README.txt'])
    requireWritable(path);
  assert.ok(isBelow('/a/b', '/a') && isBelow('/a', '/') && !isBelow('/ab', '/a') && !isBelow('/a', '/a'));
});

test('names are compared by their bytes', () => {
  const names = ['a', 'B', 'é', 'z', '\u{1F600}', '\uFFFD', 'aa'];
  assert.deepEqual([...names].sort(compareNames), ['B', 'a', 'aa', 'z', 'é', '\uFFFD', '\u{1F600}']);
});
