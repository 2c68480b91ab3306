/** ssh2's internals are touched in one file, so that an upgrade has one file to check. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { globSync } from 'tinyglobby';

/** Members and modules of ssh2 that its types do not declare. */
const internals =
  /\._(sock|protocol|chanMgr|channel|chanInfo|kex\w*|queue|offer|handlers|cipher|decipher|packetRW|on[A-Z]\w*)\b|_chan(Mgr|Info)\b|_protocol\b|ssh2\/lib/;

test('only ssh2fixes.ts touches the internal state of ssh2', () => {
  const touching = globSync(['server/**/*.ts', 'keys/**/*.ts', 'app/**/*.ts']).filter((file) =>
    internals.test(readFileSync(file, 'utf8')),
  );
  assert.deepEqual(touching, ['server/ssh/ssh2fixes.ts']);
});
