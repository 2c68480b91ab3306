/** The Grafana dashboard: its queries name metrics and labels that exist, and its panels have places of their own. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createMetrics } from '../../app/monitor/metrics.js';
import { openFresh } from '../support/databases.js';
import { workplaceOn } from '../support/workplace.js';

interface Panel {
  id: number;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets: { refId: string; expr: string; legendFormat: string }[];
}

const dashboard = JSON.parse(readFileSync('docs/grafana.json', 'utf8')) as { uid: string; panels: Panel[] };
const queries = dashboard.panels.flatMap(({ title, targets }) => targets.map((target) => ({ title, ...target })));

/** Names after which a query has its own: functions and keywords of PromQL. */
const words = new Set(['by', 'le', 'job', 'max', 'sum', 'rate', 'topk', 'time', 'histogram_quantile', 'up', 'state']);

test('each query names a metric that the server has, with labels that it has', async (t) => {
  const { settings } = await openFresh(t, 'sqlite');
  const metrics = createMetrics({
    ...{ workplace: await workplaceOn(t, settings), version: '1.2.3' },
    countConnections: () => 0,
  });
  t.after(() => metrics.stop());
  const text = await metrics.render();
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]));
  assert.ok(types.size > 20);
  for (const { title, expr } of queries) {
    const named = [...expr.matchAll(/\bdropslot_\w+/g)].map(([name]) => name);
    assert.ok(named.length > 0 || expr.startsWith('up{'), `${title} has a metric`);
    for (const name of named) {
      const type = types.get(name) ?? (types.get(name.replace(/_bucket$/, '')) === 'histogram' ? 'histogram' : null);
      assert.ok(type !== null, `${title}: ${name} exists`);
      assert.equal(/rate\([^)]*\b\w+_total\b/.test(expr) || type !== 'counter', true, `${title}: a counter has a rate`);
    }
    assert.match(expr, /\{job="\$job"[,}]/, `${title} is of one job`);
  }
  const known = ['metrics', 'counters'].map((name) => readFileSync(`app/monitor/${name}.ts`, 'utf8')).join();
  for (const { title, expr, legendFormat } of queries) {
    const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, labels]) => labels!.split(', '));
    const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
    for (const label of [...grouped, ...shown])
      assert.ok(label === 'instance' || label === 'le' || known.includes(`'${label}'`), `${title}: label ${label}`);
  }
});

test('its queries are balanced, and its panels do not overlap', () => {
  for (const { title, expr } of queries) {
    for (const pair of ['()', '{}', '[]'])
      assert.equal(expr.split(pair[0]!).length, expr.split(pair[1]!).length, `${title}: ${expr}`);
    const bare = expr.replace(/\{[^}]*\}|\[[^\]]*\]|"[^"]*"/g, ' ').matchAll(/[a-z_]\w*/g);
    for (const [word] of bare)
      assert.ok(
        /^dropslot_/.test(word) ||
          words.has(word) ||
          /^(outcome|result|reason|action|kind|type|entity|code|process|cause|organization)$/.test(word),
        word,
      );
  }
  const { panels } = dashboard;
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const taken = new Set<string>();
  for (const { title, gridPos } of panels) {
    assert.ok(gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.ok(!taken.has(`${x},${y}`), `${title} has a place of its own`);
        taken.add(`${x},${y}`);
      }
  }
});
