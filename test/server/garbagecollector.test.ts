/** The space of young objects, which a burst of logins would make four times as large, keeps its size. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const collector = new URL('../../server/garbagecollector.ts', import.meta.url).href;

/** Its size after objects that live on, divided by the size before. */
function growth(setUp: string): number {
  const program = `
    import { getHeapSpaceStatistics } from 'node:v8';
    const size = () => getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size;
    ${setUp}
    const before = size();
    const kept = [];
    for (let n = 0; n < 2_000_000; n++) kept[n % 300_000] = { n, text: 'object ' + n };
    process.stdout.write(String(size() / before));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  assert.equal(stderr, '', 'this Node.js knows the flags');
  return Number(stdout);
}

test('the space of young objects keeps the size of the start', () => {
  // Node.js 26 counts it in smaller steps, and by the objects that it has at the time.
  const tuned = growth(`import { tuneCollector } from ${JSON.stringify(collector)}; tuneCollector();`);
  assert.ok(tuned < 1.5, String(tuned));
  const usual = growth('');
  assert.ok(usual > 1.5, String(usual));
});
