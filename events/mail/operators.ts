/** Keeps a subscriber of mail for each address of the setting `operatorMail`. */
import { createHash } from 'node:crypto';
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import {
  deleteSubscriber,
  enableSubscriber,
  insertSubscriber,
  listSubscribers,
  type Subscriber,
  updateSubscriber,
} from '../../db/control/eventsubscribers.js';
import { lastDirectoryEvent } from '../../db/directory/events.js';
import { readCategories, typesOfCategories } from './categories.js';
import type { MailOptions } from './mail.js';

export interface OperatorDeps {
  control: Db;
  directory: Db;
  settings: Pick<Settings, 'operatorMail' | 'operatorMailEvents' | 'smtp'>;
  now: () => number;
}

/** Adds, changes, enables and removes rows as the setting says; called at each start, and by every node alike, some at the same moment. */
export async function syncOperatorMail({ control, directory, settings, now }: OperatorDeps): Promise<void> {
  const wanted = new Map(
    (settings.smtp === undefined ? [] : settings.operatorMail).map((address) => [idOf(address), address]),
  );
  const types = typesOfCategories(readCategories(settings.operatorMailEvents) ?? []);
  const last = await lastDirectoryEvent(directory.read);
  await control.transact(async (tx) => {
    const found = (await listSubscribers(tx, 'mail')).filter(isOperator);
    for (const { id, types: before, state } of found) {
      if (!wanted.has(id)) await deleteSubscriber(tx, id);
      else if (JSON.stringify(before) !== JSON.stringify(types)) await updateSubscriber(tx, id, { types });
      if (wanted.has(id) && state === 'disabled') await enableSubscriber(tx, id);
    }
    for (const [id, address] of wanted) {
      if (found.some((one) => one.id === id)) continue;
      const options = { address, isOperator: true };
      const subscriber = { id, kind: 'mail', org: null, types, options, secret: null, description: null };
      await insertSubscriber(tx, subscriber, last, now());
    }
  });
}

function isOperator({ options }: Subscriber): boolean {
  return (options as unknown as MailOptions).isOperator === true;
}

function idOf(address: string): string {
  return `sub_${createHash('sha256').update(`operator ${address.toLowerCase()}`).digest('hex').slice(0, 16)}`;
}
