// @ts-check
/** The service's own table of users. An event changes it in one transaction with its id, so that its repetition changes nothing. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import sqlite3 from 'sqlite3';

/** @typedef {import('dropslot').DropslotEvent<import('dropslot').TypesOf<'user.*'>>} UserEvent */

const schema = `
  PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY, org TEXT NOT NULL, email TEXT NOT NULL, name TEXT, active INTEGER NOT NULL DEFAULT 1
  );
  CREATE TABLE IF NOT EXISTS user_values (
    user INTEGER NOT NULL REFERENCES users (id), label TEXT NOT NULL, value TEXT, PRIMARY KEY (user, label)
  );
  CREATE TABLE IF NOT EXISTS handled (event TEXT PRIMARY KEY, at TEXT NOT NULL) WITHOUT ROWID;
`;

/** Dropslot repeats no event that is older (twice the setting eventDays). */
const keptMs = 60 * 86_400_000;

/** @param {string} file */
export async function openUsers(file) {
  mkdirSync(dirname(file), { recursive: true });
  const db = new sqlite3.Database(file);
  /** @type {(sql: string) => Promise<void>} */
  const execute = (sql) =>
    new Promise((resolve, reject) => db.exec(sql, (error) => (error ? reject(error) : resolve())));
  /** The number of rows that it changed. @type {(sql: string, ...values: unknown[]) => Promise<number>} */
  const run = (sql, ...values) =>
    new Promise((resolve, reject) => {
      db.run(sql, values, function (error) {
        if (error) reject(error);
        else resolve(this.changes);
      });
    });

  /** @param {UserEvent} event */
  async function change({ type, org, data }) {
    const { user } = data;
    if (type === 'user.erased') {
      await run('DELETE FROM user_values WHERE user = ?', user);
      await run('DELETE FROM users WHERE id = ?', user);
      return;
    }
    // Of a person who was erased since, only the id is left; the event user.erased follows.
    if (data.email === undefined) return;
    await run(
      `INSERT INTO users (id, org, email, name) VALUES (?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET email = excluded.email, name = excluded.name`,
      ...[user, org, data.email, data.name ?? null],
    );
    if (type === 'user.deactivated') await run('UPDATE users SET active = 0 WHERE id = ?', user);
    if (type === 'user.reactivated') await run('UPDATE users SET active = 1 WHERE id = ?', user);
    for (const { field, after } of data.changes ?? [])
      await run('INSERT OR REPLACE INTO user_values VALUES (?, ?, ?)', user, field, after);
  }

  await execute(schema);
  await run('DELETE FROM handled WHERE at < ?', new Date(Date.now() - keptMs).toISOString());
  return {
    /** Dropslot calls it for one event after the other. @param {UserEvent} event */
    async apply(event) {
      await execute('BEGIN IMMEDIATE');
      try {
        const isNew = (await run('INSERT OR IGNORE INTO handled VALUES (?, ?)', event.id, event.at)) > 0;
        if (isNew) await change(event);
        await execute('COMMIT');
      } catch (error) {
        await execute('ROLLBACK');
        throw error;
      }
    },
    /** @returns {Promise<void>} */
    close: () => new Promise((resolve, reject) => db.close((error) => (error ? reject(error) : resolve()))),
  };
}
