/** Sources and watched folders as `sources` and `folders` print them, for people and as JSON. */
import { describeDoor, type Source, showAfter } from '../../operations/doors.js';
import { describeSight } from '../../operations/folders.js';
import { formatBytes, formatTime } from '../../operations/format.js';
import { doorToJson } from '../../operations/forms/doors.js';
import { adviceFor, type SourceTest } from '../../operations/sources.js';
import { type ListView, renderRecord } from '../output.js';

export function doorList(word: 'source' | 'folder'): ListView<Source> {
  return {
    columns: [
      { title: word.toUpperCase(), cell: ({ id }) => String(id), align: 'right' },
      { title: 'ORGANIZATION', cell: ({ org }) => org, whole: true },
      { title: word === 'source' ? 'SERVER AND FOLDER' : 'FOLDER', cell: (source) => describeDoor(source).place },
      {
        title: 'WHEN',
        cell: ({ config }) => (config.kind === 'sftp' ? config.when : config.poll ? 'polling' : 'at once'),
      },
      { title: 'STATE', cell: stateOf },
      { title: 'LAST SUCCESS', cell: ({ lastOkAt }) => formatTime(lastOkAt) },
      { title: 'FAILURE', cell: ({ failure }) => failure ?? '' },
    ],
    empty:
      word === 'source'
        ? 'No source: add one with "dropslot sources add".'
        : 'No watched folder: add one with "dropslot folders add".',
    toJson: doorToJson,
  };
}

export function renderDoor(source: Source): string {
  const { config, result, id } = source;
  const own: [string, string | null][] =
    config.kind === 'sftp'
      ? [
          ['Server', `${config.host} port ${config.port}`],
          ['User', config.user],
          ['Login', config.auth],
          ['Public key', config.publicKey],
          ['Host key', config.hostKeys.join(', ') || `not confirmed: dropslot sources test ${id}`],
          ['Folder', config.path],
          ['When', config.when],
          ['Private addresses', config.allowPrivate ? 'allowed' : null],
          ['Algorithms', config.legacyAlgorithms ? 'old ones too' : null],
          ['After fetch', showAfter(config.after, 'sftp')],
        ]
      : [
          ['Folder', config.dir],
          ['Looks', config.poll ? 'every 15 seconds' : 'when the system reports a change, and every minute'],
          [
            'Enters',
            config.marker === null
              ? 'a file that no longer changes and is not open'
              : `a file with the marker ${config.marker}`,
          ],
          ['Open files', config.marker === null ? describeSight() : null],
          ['After import', showAfter(config.after, 'folder')],
        ];
  return renderRecord([
    [config.kind === 'sftp' ? 'Source' : 'Folder number', String(id)],
    ['Organization', source.org],
    ['State', stateOf(source)],
    ...own,
    ['Patterns', config.patterns.join(', ') || 'all names that are imported'],
    ['Enters at', config.into],
    ['Next round', source.state === 'active' ? formatTime(source.nextAt) : null],
    ['Last round', source.lastAt === null ? null : formatTime(source.lastAt)],
    ['Last success', source.lastOkAt === null ? null : formatTime(source.lastOkAt)],
    ['Result', result === null ? null : describeResult(source)],
    ...(result?.problems ?? []).map((text): [string, string] => ['Problem', text]),
    ['Failure', source.failure === null ? null : `${source.failure} (failures in a row: ${source.failures})`],
    ['To do', source.failureCode === null ? null : adviceFor(source.failureCode, id)],
  ]);
}

export function describeResult({ result }: Source | { result: Source['result'] }): string {
  const { taken, bytes, unchanged, waiting, listed } = result!;
  const parts = [`${taken} taken (${formatBytes(bytes)})`, `${listed} matched`];
  if (unchanged > 0) parts.push(`${unchanged} with unchanged content`);
  if (waiting > 0) parts.push(`${waiting} not finished yet`);
  return parts.join(', ');
}

export function renderTest({ address, names, known, wouldTake }: SourceTest, { config, id }: Source): string {
  const dir = config.kind === 'sftp' ? config.path : config.dir;
  const head = `Logged in at ${address}. Files in the folder ${dir}: ${names}, taken before: ${known}.`;
  if (wouldTake.length === 0) return `${head}\nNo new file would be taken.`;
  const shown = wouldTake
    .slice(0, 50)
    .map(({ name, size, mtimeMs }) => `  ${name}  ${formatBytes(size)}  ${formatTime(mtimeMs)}`);
  const more = wouldTake.length > shown.length ? [`  … and ${wouldTake.length - shown.length} more`] : [];
  return [
    head,
    `New files that would be taken: ${wouldTake.length} (dropslot sources run ${id} takes them now)`,
    ...shown,
    ...more,
  ].join('\n');
}

const states: Record<Source['state'], string> = {
  active: 'active',
  disabled: 'disabled',
  unconfirmed: 'host key not confirmed',
  host_key_changed: 'stopped: host key changed',
};

function stateOf({ state, failures }: Source): string {
  return state === 'active' && failures > 0 ? 'failing' : states[state];
}
