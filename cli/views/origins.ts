/** Where values and changes of users and teams are from, for people and as JSON. */
import { escapeControl, formatTime } from '../../operations/format.js';
import type { OriginatedChange } from '../../operations/origins.js';

type Story = readonly { field: string; value: string; from: OriginatedChange | null }[];

export function renderStory(story: Story): string {
  const origins = story.map(
    ({ field, value, from }) =>
      `  ${escapeControl(`${field}: ${value}`)}  (${from === null ? 'unknown' : escapeControl(`${formatTime(from.at)}, ${describeOrigin(from)}`)})`,
  );
  return `Where each value is from:\n${origins.join('\n')}`;
}

export function describeChange(change: OriginatedChange): string {
  const what =
    change.field === '' ? 'created' : `${change.field}: ${change.before ?? '(blank)'} → ${change.after ?? '(blank)'}`;
  return escapeControl(`${formatTime(change.at)}  ${what}  (${describeOrigin(change)})`);
}

/** `run 7, /users.csv, line 3`, `operator:root, run 8`, `undo, run 9`. */
function describeOrigin({ origin, by, runId, file, line }: OriginatedChange): string {
  if (origin === 'schedule') return 'scheduled deactivation';
  if (runId === null) return 'no run';
  const run = `run ${runId}`;
  if (origin === 'person') return `${by ?? 'a person'}, ${run}`;
  if (origin === 'undo') return `undo, ${run}`;
  return [run, file, line === null ? null : `line ${line}`].filter((part) => part !== null).join(', ');
}
