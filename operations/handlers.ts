/** Handlers of events in a program that embeds Dropslot: subscribers that the program finds again by their names. */
import { findByName, noteSeen, type Subscriber, updateSubscriber } from '../db/control/eventsubscribers.js';
import { OperationError } from './error.js';
import { addSubscriber, audit, type CommonOptions, handlerKind, readCommon } from './subscribers.js';
import type { Workplace } from './workplace.js';

export interface NewHandler extends Omit<CommonOptions, 'description'> {
  name: string;
  /** `beginning`: a handler that is added gets the events from before that are kept, too. */
  from?: 'beginning' | 'now';
}

const nameForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * The handler of this name, added where there is none: it gets the events from then on, or from the beginning. Another organization, other types
 * or options hold for the events that it has not had. A disabled one remains disabled.
 * @throws OperationError `usage`, `not_found`, `refused`
 */
export async function registerHandler(workplace: Workplace, handler: NewHandler): Promise<Subscriber> {
  const { name } = handler;
  if (!nameForm.test(name))
    throw new OperationError(
      'usage',
      `the name of a handler has 1 to 64 letters, digits, dots, hyphens or underscores, and begins with a letter or digit: ${JSON.stringify(name)} is none`,
    );
  const common = await readCommon(workplace, handler);
  const { control, now } = workplace;
  const found = await findByName(control.read, name);
  if (found === null) {
    const seenAt = now();
    const isFromStart = handler.from === 'beginning';
    await addSubscriber(workplace, handlerKind, { ...common, name, seenAt, secret: null, isFromStart });
  } else {
    const { org, types, options } = common;
    const isSame = JSON.stringify([found.org, found.types, found.options]) === JSON.stringify([org, types, options]);
    await control.transact(async (tx) => {
      await noteSeen(tx, [found.id], now(), true);
      if (isSame) return;
      await updateSubscriber(tx, found.id, { org, types, options });
      await audit(tx, workplace, 'handler.changed', { id: found.id, org }, { types });
    });
  }
  return (await findByName(control.read, name))!;
}
