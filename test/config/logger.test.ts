/** What people read of the log. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { createLogger } from '../../config/logger.js';

test('what a client calls a file is one line of text, and steers no terminal', async () => {
  const target = new PassThrough();
  const logger = createLogger({ logLevel: 'info', logFormat: 'text' }, target);
  const lines = new Promise<string>((resolve) => target.once('data', (chunk: Buffer) => resolve(chunk.toString())));
  logger.info('queued', { path: '/a\n12:00:00 info logged in\u001b[2J\u202e', list: ['\u009b'], none: undefined });
  assert.match(
    await lines,
    /queued {2}path="\/a\\u000a12:00:00 info logged in\\u001b\[2J\\u202e" list=\["\\u009b"\]\n$/,
  );
});

test('a JSON line begins with time, level and message', async () => {
  const target = new PassThrough();
  const logger = createLogger({ logLevel: 'info', logFormat: 'json' }, target);
  const lines = new Promise<string>((resolve) => target.once('data', (chunk: Buffer) => resolve(chunk.toString())));
  logger.info('upload closed', { org: 'acme', path: '/a\nb.csv' });
  const line = await lines;
  assert.deepEqual(Object.keys(JSON.parse(line)), ['timestamp', 'level', 'message', 'org', 'path']);
  assert.equal(line.split('\n').length, 2, 'one line, and its end');
});

test('a line is written before the call returns, also of a logger that was made of another', () => {
  const target = new PassThrough();
  const logger = createLogger({ logLevel: 'info', logFormat: 'json' }, target);
  const child = logger.child({ address: '192.0.2.7' }).child({ org: 'acme' });
  child.info('logged in', { key: 'SHA256:x' });
  const { timestamp, ...line } = JSON.parse(String(target.read()));
  assert.ok(Date.now() - Date.parse(timestamp) < 60_000);
  const expected = { level: 'info', message: 'logged in', address: '192.0.2.7', key: 'SHA256:x', org: 'acme' };
  assert.deepEqual(line, expected);
  logger.warn('alone');
  assert.match(String(target.read()), /"level":"warn","message":"alone"\}\n$/);
  logger.error('failed', new Error('the cause'));
  assert.match(String(target.read()), /"message":"failed the cause","stack":"Error: the cause\\n/);
});

test('lines below the level are not written, and a level that changes counts from then on', () => {
  const target = new PassThrough();
  const logger = createLogger({ logLevel: 'warn', logFormat: 'json' }, target);
  const child = logger.child({ org: 'acme' });
  child.info('left out');
  child.debug('left out');
  assert.equal(target.read(), null);
  child.warn('written');
  assert.match(String(target.read()), /written/);
  logger.level = 'debug';
  child.debug('written, too');
  assert.match(String(target.read()), /written, too/);
});
