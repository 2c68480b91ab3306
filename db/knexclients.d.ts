/** The clients of knex that ours extend, which knex has no types for. */
declare module 'knex/lib/dialects/*' {
  import type { Knex } from 'knex';

  const Client: typeof Knex.Client;
  export = Client;
}
