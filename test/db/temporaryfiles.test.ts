/** Temporary files of SQLite, which may have values of users, lie in the data folder. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/temporary.js';

const skip = process.platform !== 'linux' && 'only Linux shows the open files of a process';

/** SQLite reads the folder once in a process, so that this needs one of its own. It looks at its open files while a sort is on its way. */
const program = `
  import { readdirSync, readlinkSync } from 'node:fs';
  import { openFile } from ${JSON.stringify(new URL('../../db/sqlite/open.js', import.meta.url).href)};
  const { write } = openFile({ driver: 'sqlite3', file: process.argv[1], waitMs: 1000 });
  await write.raw('PRAGMA cache_size = 10');
  const linkOf = (fd) => { try { return readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } };
  const seen = new Set();
  const look = setInterval(() => {
    for (const fd of readdirSync('/proc/self/fd')) if (linkOf(fd).includes('etilqs_')) seen.add(linkOf(fd));
  }, 1);
  await write.raw(\`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80000)
    SELECT COUNT(*) AS rows FROM (SELECT i, hex(randomblob(50)) AS text FROM n ORDER BY text LIMIT 70000)\`);
  clearInterval(look);
  await write.destroy();
  console.log(JSON.stringify([...seen]));
`;

test('a sort that needs a file has it in the folder of the database', { skip }, (t) => {
  const folder = temporaryFolder(t);
  const args = [...process.execArgv, '--input-type=module', '-e', program, join(folder, 'control.db')];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const seen = JSON.parse(stdout || 'null') as string[] | null;
  assert.ok(seen !== null && seen.length > 0, `no temporary file was seen: ${stderr}`);
  for (const file of seen) assert.ok(file.startsWith(folder), file);
});
