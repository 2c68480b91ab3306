/** All that is tried with one client, in order: the cases, each type of key, and what only this client does. */
import { cases, perform, succeed, type Trial } from './cases.js';
import type { Client, Step } from './client.js';

export interface Check {
  name: string;
  /** Why the client cannot be asked for it; null: it can. */
  unable: string | null;
  run(trial: Trial): Promise<void>;
}

export function listChecks(client: Client): Check[] {
  return [
    ...cases.map(({ name, needs, run }) => ({ name, unable: reasonAgainst(client, needs), run })),
    ...client.keys.map((key) => ({
      name: `logs in with a key of type ${key}`,
      unable: null,
      run: ({ seat }: Trial) => logIn(client, seat.move({ key })),
    })),
    ...Object.entries(client.specials).map(([name, run]) => ({
      name,
      unable: null,
      run: ({ seat }: Trial) => run(seat),
    })),
  ];
}

/** null: the client can do all that is needed. */
export function reasonAgainst(client: Client, needs: (typeof cases)[number]['needs']): string | null {
  return needs.map((need) => client.unable[need]).find((reason) => reason !== undefined) ?? null;
}

async function logIn(client: Client, seat: Trial['seat']): Promise<void> {
  const put: Step = { do: 'put', from: seat.file('key.csv', 'x'), to: `/${seat.keyType}.csv` };
  succeed(await perform({ client, seat }, client.unable.list === undefined ? { do: 'list', folder: '/' } : put));
}
