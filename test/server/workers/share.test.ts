import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Memory } from '../../../intake/memory.js';
import { type JoinAnswer, noUsage, type WorkerMessage } from '../../../server/workers/messages.js';
import { createSharedLimits } from '../../../server/workers/share.js';

const org = { id: 'acme', options: {} };

/** The channel: `answer` and what follows it are handled in one turn, as messages that were read together. */
function openShare() {
  const told: WorkerMessage[] = [];
  let settle = (_answer: unknown): void => {};
  const limits = createSharedLimits({
    caps: { maxConnectionsPerOrg: 8, maxSessionsPerOrg: 8, maxHandlesPerOrg: 8 },
    memory: new Memory({ orgBytes: 1000, processBytes: 10_000 }),
    auditRate: undefined,
    now: Date.now,
    ask: <Answer>(_question: unknown, onAnswer?: (answer: Answer) => void) =>
      new Promise<Answer>((resolve) => {
        settle = (answer) => {
          onAnswer?.(answer as Answer);
          resolve(answer as Answer);
        };
      }),
    tell: (message) => told.push(message),
  });
  return { limits, told, answer: (answer: JoinAnswer) => settle(answer) };
}

test('another worker joins just after this one: this one tells it of its usage', async (t) => {
  const { limits, told, answer } = openShare();
  t.after(() => limits.stop());
  const opening = limits.openConnection(org);
  answer({ isShared: false, others: noUsage });
  limits.setShared('acme', true);
  const opened = (await opening)!;
  for (let handle = 0; handle < 5; handle++) opened.handles.add();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    told.map((message) => message.type === 'usage' && message.usage.handles),
    [5],
  );
});

test('the other worker ends its connections just after this one joined: its usage counts no more', async (t) => {
  const { limits, answer } = openShare();
  t.after(() => limits.stop());
  const opening = limits.openConnection(org);
  answer({ isShared: true, others: { ...noUsage, handles: 8 } });
  limits.setOthers('acme', noUsage);
  limits.setShared('acme', false);
  assert.equal((await opening)!.handles.isBelowLimit(), true);
});
