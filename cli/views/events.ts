/** Events and their types, for people and as JSON. */

import type { ListedEvent, listTypes } from '../../operations/events.js';
import { formatTime } from '../../operations/format.js';
import { eventToJson } from '../../operations/forms/records.js';
import type { ListView } from '../output.js';

export const eventList: ListView<ListedEvent> = {
  columns: [
    { title: 'TIME', cell: ({ at }) => formatTime(at) },
    { title: 'TYPE', cell: ({ type }) => type },
    { title: 'ORG', cell: ({ org }) => org ?? '–' },
    { title: 'SUBJECT', cell: ({ subject }) => subject },
    { title: 'ID', cell: ({ id }) => id, whole: true },
  ],
  empty: 'No such event.',
  toJson: eventToJson,
};

export const typeList: ListView<ReturnType<typeof listTypes>[number]> = {
  columns: [
    { title: 'TYPE', cell: ({ name }) => name },
    { title: 'MEANING', cell: ({ meaning }) => meaning },
  ],
  empty: 'No type.',
  toJson: ({ name, meaning, personal, example }) => ({ type: name, meaning, personal, example }),
};
