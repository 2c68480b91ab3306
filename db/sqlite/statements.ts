/** Keeps the statements of one SQLite connection prepared that it runs again and again: to prepare one costs as much as to run it. */

/** Of a library: with its own ways to prepare, run and finalize it. */
export class StatementCache<Statement> {
  readonly #finalize: (statement: Statement) => void;
  /** In the order of their last use. */
  readonly #kept = new Map<string, Statement>();

  constructor(finalize: (statement: Statement) => void = () => {}) {
    this.#finalize = finalize;
  }

  /** null: it is not kept. Its caller gives it back by `keep`, unless it failed: two calls never use one at once. */
  take(sql: string): Statement | null {
    const statement = this.#kept.get(sql) ?? null;
    this.#kept.delete(sql);
    return statement;
  }

  keep(sql: string, statement: Statement): void {
    const same = this.#kept.get(sql);
    if (same !== undefined) this.#finalize(same);
    this.#kept.set(sql, statement);
    if (this.#kept.size <= mostStatements) return;
    const [oldest, unused] = this.#kept.entries().next().value!;
    this.#kept.delete(oldest);
    this.#finalize(unused);
  }

  /** Before the connection is closed. */
  clear(): void {
    for (const statement of this.#kept.values()) this.#finalize(statement);
    this.#kept.clear();
  }
}

const mostStatements = 100;
/** A statement keeps the values of its last call in memory: with more characters than these it is prepared each time. */
const mostCharacters = 16 * 1024;

/**
 * Whether a statement is likely to come again: not one with its values in its text, nor a large one.
 * @param wantsRows false: rows that it returns are not read, so that it would not end; it is prepared each time.
 */
export function isRepeated(sql: string, values: readonly unknown[], wantsRows: boolean): boolean {
  if (values.length === 0) return transactionControl.test(sql);
  if (!rowStatement.test(sql) || (!wantsRows && returning.test(sql))) return false;
  let characters = sql.length;
  for (const value of values) if (typeof value === 'string' || value instanceof Uint8Array) characters += value.length;
  return characters <= mostCharacters;
}

const transactionControl = /^(BEGIN( IMMEDIATE)?|COMMIT|ROLLBACK|(SAVEPOINT|(ROLLBACK TO|RELEASE) SAVEPOINT) part);?$/i;
const rowStatement = /^\s*(select|insert|update|delete)\b/i;
const returning = /\breturning\b/i;
