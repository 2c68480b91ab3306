/** Seals the secrets of subscribers to a new master key. */
import { listSubscribers, updateSubscriber } from '../db/control/eventsubscribers.js';
import { sealSecrets, unsealSecrets } from '../events/secrets.js';
import type { MasterKey } from '../keys/master/master.js';
import type { Workplace } from './workplace.js';

/** How many were sealed to an older master key. @throws Error when no master key opens one */
export async function resealSubscribers(
  { control }: Pick<Workplace, 'control'>,
  newest: MasterKey,
  older: readonly MasterKey[],
): Promise<number> {
  const identity = [newest, ...older].map((one) => one.identity).join('\n');
  let resealed = 0;
  await control.transact(async (tx) => {
    for (const { id, secret } of await listSubscribers(tx)) {
      if (secret === null || (await isOpenedBy(newest, secret))) continue;
      const secrets = await unsealSecrets({ ...newest, identity }, secret);
      await updateSubscriber(tx, id, { secret: await sealSecrets(newest.recipient, secrets) });
      resealed++;
    }
  });
  return resealed;
}

function isOpenedBy(master: MasterKey, sealed: string): Promise<boolean> {
  return unsealSecrets(master, sealed).then(
    () => true,
    () => false,
  );
}
