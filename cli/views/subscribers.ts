/** Webhooks and hooks with their deliveries, for people and as JSON. A secret is never among them. */

import { describeTarget, type ExportOptions } from '../../operations/exports/options.js';
import { formatTime } from '../../operations/format.js';
import { deliveryToJson, subscriberToJson } from '../../operations/forms/subscribers.js';
import type { Delivery, Subscriber, SubscriberKind } from '../../operations/subscribers.js';
import { type ListView, renderRecord } from '../output.js';

/** @param how to add one; without it by the command `add` of the group. */
export function subscriberList(
  { noun, group }: SubscriberKind,
  how = `add one with "dropslot ${group} add"`,
): ListView<Subscriber> {
  return {
    columns: [
      { title: 'ID', cell: ({ id }) => id, whole: true },
      { title: 'STATE', cell: stateOf },
      { title: 'ORG', cell: ({ org }) => org ?? 'all' },
      { title: 'TYPES', cell: ({ types }) => types.join(',') },
      { title: 'TO', cell: targetOf },
      { title: 'DESCRIPTION', cell: ({ description }) => description ?? '–' },
    ],
    empty: `No ${noun}; ${how}.`,
    toJson: subscriberToJson,
  };
}

export function renderSubscriber(subscriber: Subscriber): string {
  const { target } = subscriber.options;
  const { id, org, types, description, state, reason, createdAt, seenAt, options } = subscriber;
  const { failures, failingSince, nextAt } = subscriber;
  return renderRecord([
    ['id', id],
    ['state', state === 'disabled' && reason !== null ? `disabled: ${reason}` : state],
    ['organization', org ?? 'all, and the server'],
    ['types', types.join(', ')],
    ['to', targetOf(subscriber)],
    ...(target === undefined ? [] : describeExport(options as unknown as ExportOptions)),
    ['personal data', target !== undefined || options.personal === true ? 'yes' : 'no'],
    ['batch', options.batch === undefined ? null : String(options.batch)],
    ['description', description],
    ['added', formatTime(createdAt)],
    ['program last seen', seenAt === null ? null : formatTime(seenAt)],
    ['failures in a row', failures === 0 ? null : `${failures}, since ${formatTime(failingSince)}`],
    ['next attempt', nextAt === null ? null : formatTime(nextAt)],
  ]);
}

export const deliveryList: ListView<Delivery> = {
  columns: [
    { title: 'TIME', cell: ({ at }) => formatTime(at) },
    { title: 'EVENT', cell: ({ event }) => event, whole: true },
    { title: 'TYPE', cell: ({ type }) => type },
    { title: 'EVENTS', cell: ({ events }) => String(events), align: 'right' },
    { title: 'ATTEMPT', cell: ({ attempt }) => String(attempt), align: 'right' },
    { title: 'MS', cell: ({ ms }) => String(ms), align: 'right' },
    { title: 'RESULT', cell: ({ outcome, detail }) => `${outcome}: ${detail}` },
  ],
  empty: 'No delivery yet.',
  toJson: deliveryToJson,
};

function describeExport({ target, when, changedOnly, keep, last }: ExportOptions): [string, string | null][] {
  return [
    ['host key', target.kind === 'sftp' ? target.hostKey : null],
    ['private addresses', target.kind === 'sftp' ? (target.allowPrivate ? 'accepted' : 'refused') : null],
    ['when', when === 'after-run' ? 'after each run' : when],
    ['users', changedOnly ? 'changed since the last export' : 'all'],
    ['kept', `${keep} exports`],
    ['last export', last === undefined ? 'none' : formatTime(last.at)],
  ];
}

function stateOf({ state, failures }: Subscriber): string {
  return state === 'enabled' && failures > 0 ? 'failing' : state;
}

function targetOf({ name, options: { url, program, args, target } }: Subscriber): string {
  if (name !== null) return name;
  if (url !== undefined) return String(url);
  if (target !== undefined) return describeTarget(target as ExportOptions['target']);
  return [program, ...((args as string[] | undefined) ?? [])].join(' ');
}
