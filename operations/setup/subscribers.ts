/** Compares the webhooks and hooks of a file with those that exist: one is the same as another if its target and organization are. */
import { isDeepStrictEqual } from 'node:util';
import { addHook, readHook } from '../hooks.js';
import {
  changeSubscriber,
  commandKind,
  listOfKind,
  removeSubscriber,
  type Subscriber,
  type SubscriberKind,
  webhookKind,
} from '../subscribers.js';
import { addWebhook, readWebhook } from '../webhooks.js';
import type { Workplace } from '../workplace.js';
import { at, type Change } from './change.js';
import type { SubscriberSetup } from './document.js';

/** How one kind is read and added. */
interface Way {
  kind: SubscriberKind;
  /** Checks it, and gives the row that it would have. */
  read(place: Workplace, setup: SubscriberSetup): Promise<Row>;
  /** @returns a sentence for the operator */
  add(place: Workplace, setup: SubscriberSetup): Promise<string | null>;
}

type Row = Pick<Subscriber, 'types' | 'description' | 'options'>;

const ways: Readonly<Record<'webhooks' | 'hooks', Way>> = {
  webhooks: {
    kind: webhookKind,
    read: (place, setup) => readWebhook(place, toWebhook(setup)),
    add: async (place, setup) => {
      const { id, secret } = await addWebhook(place, toWebhook(setup));
      return `The secret of the webhook ${id} (${setup.target}), which is not shown again: ${secret}`;
    },
  },
  hooks: {
    kind: commandKind,
    read: (place, setup) => readHook(place, toHook(setup)),
    add: async (place, setup) => addHook(place, toHook(setup)).then(() => null),
  },
};

/** @param orgs that the file adds, and that do not exist yet. */
export async function compareSubscribers(
  place: Workplace,
  name: keyof typeof ways,
  setups: readonly SubscriberSetup[],
  { prune, orgs }: { prune: boolean; orgs: ReadonlySet<string> },
): Promise<Change[]> {
  const { kind, read, add } = ways[name];
  const left = await listOfKind(place, kind);
  const changes: Change[] = [];
  for (const setup of setups) {
    const { org, where } = setup;
    const isOrgNew = org !== null && orgs.has(org);
    // An organization that the file adds is not there to be checked.
    const row = await at(where, () => read(place, isOrgNew ? { ...setup, org: null } : setup));
    const target = targetOf(row);
    const text = `${kind.noun} ${target}`;
    const index = left.findIndex((one) => one.org === org && targetOf(one) === target);
    if (index < 0) {
      changes.push({ org, sign: '+', text, act: () => add(place, setup) });
      continue;
    }
    const [found] = left.splice(index, 1);
    const differing = (['types', 'description', 'options'] as const).filter(
      (part) => !isDeepStrictEqual(found![part], row[part]),
    );
    if (differing.length === 0) continue;
    const act = async () => changeSubscriber(place, kind, found!.id, row).then(() => null);
    changes.push({ org, sign: '~', text: `${text}: ${differing.join(', ')}`, act });
  }
  for (const one of prune ? left : []) {
    const act = async () => removeSubscriber(place, kind, one.id).then(() => null);
    changes.push({ org: one.org, sign: '-', text: `${kind.noun} ${targetOf(one)}`, act });
  }
  return changes;
}

/** With its arguments: one program may be several hooks. */
function targetOf({ options }: Pick<Subscriber, 'options'>): string {
  const { url, program, args = [] } = options as { url?: string; program?: string; args?: string[] };
  return url ?? [program, ...args].join(' ');
}

function toWebhook({ target: url, allowHttp, allowPrivate, ...rest }: SubscriberSetup) {
  return { url, allowHttp, allowPrivate, ...commonOf(rest) };
}

function toHook({ target: run, args, folder, timeLimitSeconds, ...rest }: SubscriberSetup) {
  return {
    ...{ run, args },
    ...(folder !== undefined && { folder }),
    ...(timeLimitSeconds !== undefined && { timeLimitSeconds }),
    ...commonOf(rest),
  };
}

function commonOf({
  org,
  types,
  description,
  include,
  batch,
}: Pick<SubscriberSetup, 'org' | 'types' | 'description' | 'include' | 'batch'>) {
  return {
    ...(org !== null && { org }),
    ...(types !== undefined && { types }),
    ...(description !== undefined && { description }),
    ...(include !== undefined && { include }),
    ...(batch !== undefined && { batch }),
  };
}
