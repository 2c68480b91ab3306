/** A few rounds of two writers of one file and a server that is killed; `npm run crash -- --writers` plays every combination. */
import { test } from 'node:test';
import { planRounds, type Round, runRounds } from './writers.js';

test('killed in the CLOSEs of two writers: an answered one is published, and nothing without a CLOSE', async (t) => {
  const all = planRounds();
  const chosen = (wanted: Partial<Round>) =>
    all.find((round) => Object.entries(wanted).every(([name, value]) => round[name as keyof Round] === value))!;
  const rounds = [
    chosen({ step: 'moved', count: 2, sessions: 'two', inTurn: true }),
    chosen({ step: 'committed', count: 1, sessions: 'one', inTurn: false }),
    { ...chosen({ step: 'synced', count: 2, sessions: 'two' }), writers: ['append', 'whole'] as const },
  ];
  await runRounds(t, rounds, (line) => t.diagnostic(line));
});
