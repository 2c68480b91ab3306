/** Text as PDF: its structure, and what a reader finds in it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fitsPdf, renderPdf } from '../../operations/pdf.js';
import { temporaryFolder } from '../support/temporary.js';

const long = 'k'.repeat(200);
const first = 'Müller (Köln) \\ – “acme” ‘a’ „Nord“ ‚b‘ ‹c› 100 € 5 ‰ ™ ƒ … † ‡ • — ˆ ˜ ŠŽŒšžœŸ a.b';
const text = `${first}\n\n  ${long}\n${Array.from({ length: 150 }, (_, index) => `line ${index + 1}`).join('\n')}\n`;

test('the table of a PDF has the place of each object', () => {
  const pdf = renderPdf(text);
  assert.match(pdf, /^[\n -~]+$/);
  const start = Number(/startxref\n(\d+)\n%%EOF\n$/.exec(pdf)![1]);
  const places = [...pdf.slice(start).matchAll(/^(\d{10}) 00000 n $/gm)].map(([, place]) => Number(place));
  assert.equal(places.length, Number(/\/Size (\d+)/.exec(pdf)![1]) - 1);
  for (const [index, place] of places.entries()) assert.ok(pdf.startsWith(`${index + 1} 0 obj\n`, place));
  for (const [, length, content] of pdf.matchAll(/\/Length (\d+) >>\nstream\n([\s\S]*?)\nendstream/g))
    assert.equal(content!.length, Number(length));
  assert.equal(Number(/\/Count (\d+)/.exec(pdf)![1]), 3);
  assert.equal(renderPdf(''), renderPdf('\n'));
});

test('a letter and its accent may be two characters', () => {
  assert.ok(fitsPdf('Mu\u0308ller'));
  assert.equal(renderPdf('Mu\u0308ller'), renderPdf('M\u00fcller'));
});

test('a text with other letters than the font has is told', () => {
  assert.equal(fitsPdf(text), true);
  assert.equal(fitsPdf('株式会社'), false);
  assert.match(renderPdf('a 株'), /\(a \?\) Tj/);
});

const skip =
  spawnSync('pdftotext', ['-v']).error !== undefined && 'pdftotext is NOT INSTALLED: apt-get install poppler-utils';

test('a reader finds the text', { skip }, (t) => {
  const file = join(temporaryFolder(t), 'sheet.pdf');
  writeFileSync(file, renderPdf(text));
  const { stdout, stderr } = spawnSync('pdftotext', ['-layout', file, '-'], { encoding: 'utf8' });
  assert.equal(stderr, '');
  const found = stdout
    .replaceAll('\f', '')
    .split('\n')
    .map((line) => line.trim());
  assert.equal(found[0], first);
  for (const line of ['line 1', 'line 75', 'line 150']) assert.ok(found.includes(line), line);
  assert.ok(found.join('').includes(long));
});
