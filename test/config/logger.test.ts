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
