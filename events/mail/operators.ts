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

/** Adds, changes, enables and removes rows as the setting says; called at each start, and by every node alike. */
export async function syncOperatorMail({ control, directory, settings, now }: OperatorDeps): Promise<void> {
  const wanted = new Map(
    (settings.smtp === undefined ? [] : settings.operatorMail).map((address) => [idOf(address), address]),
  );
  const types = typesOfCategories(readCategories(settings.operatorMailEvents) ?? []);
  const isOperator = ({ options }: Subscriber) => (options as unknown as MailOptions).isOperator === true;
  const found = (await listSubscribers(control.read, 'mail')).filter(isOperator);
  const missing = [...wanted].filter(([id]) => !found.some((one) => one.id === id));
  const left = found.filter(({ id }) => !wanted.has(id));
  const changed = found.filter((one) => wanted.has(one.id) && JSON.stringify(one.types) !== JSON.stringify(types));
  const disabled = found.filter(({ id, state }) => wanted.has(id) && state === 'disabled');
  if (missing.length + left.length + changed.length + disabled.length === 0) return;
  const last = await lastDirectoryEvent(directory.read);
  await control.transact(async (tx) => {
    for (const { id } of left) await deleteSubscriber(tx, id);
    for (const { id } of changed) await updateSubscriber(tx, id, { types });
    for (const { id } of disabled) await enableSubscriber(tx, id);
    for (const [id, address] of missing) {
      const options = { address, isOperator: true };
      const subscriber = { id, kind: 'mail', org: null, types, options, secret: null, description: null };
      await insertSubscriber(tx, subscriber, last, now());
    }
  });
}

function idOf(address: string): string {
  return `sub_${createHash('sha256').update(`operator ${address.toLowerCase()}`).digest('hex').slice(0, 16)}`;
}
