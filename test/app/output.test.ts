/** The lines of a process of Dropslot, for the program that embeds it: whole ones, and no longer than it can keep. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { followOutput } from '../../app/output.js';

async function follow(...chunks: (string | Buffer)[]): Promise<string[]> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const lines: string[] = [];
  followOutput({ stdout, stderr }, (line) => lines.push(line));
  stderr.end();
  for (const chunk of chunks) stdout.write(chunk);
  stdout.end();
  await new Promise((resolve) => stdout.once('close', resolve));
  return lines;
}

test('each line comes once and whole, however its bytes are divided, and also the last one without its end', async () => {
  const text = Buffer.from('{"a":"ä"}\n\nsecond\nlast');
  assert.deepEqual(await follow(...Array.from(text, (_, at) => text.subarray(at, at + 1))), [
    '{"a":"ä"}',
    'second',
    'last',
  ]);
});

test('a line without an end is cut before it fills the memory of the program', async () => {
  const chunk = 'x'.repeat(64 * 1024);
  const lines = await follow(...Array.from({ length: 160 }, () => chunk));
  assert.equal(lines.join('').length, 160 * chunk.length);
  for (const line of lines) assert.ok(line.length <= 256 * 1024 + chunk.length, `${line.length}`);
});
