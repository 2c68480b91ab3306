/** The encryption of sealed SQLite files: the pragmas and the clause that give a connection its key. */

/** The first bytes of every SQLite file that is not sealed. */
export const plainHeader = 'SQLite format 3\0';

const keyForm = /^[0-9a-f]{64}$/;

/**
 * ChaCha20-Poly1305 for each page, under a raw key of 256 bits: no passphrase, so no key derivation. The sorts and views of a
 * statement are kept in memory, because SQLite does not encrypt its temporary files.
 */
export function cipherPragmas(key: string): string[] {
  return ["PRAGMA cipher = 'chacha20'", `PRAGMA key = ${literal(key)}`, 'PRAGMA temp_store = MEMORY'];
}

/** The end of an ATTACH; null: the attached file is not sealed. */
export function keyClause(key: string | null): string {
  return key === null ? "KEY ''" : `KEY ${literal(key)}`;
}

function literal(key: string): string {
  if (!keyForm.test(key)) throw new Error('a key of SQLite has 64 hexadecimal digits');
  return `"x'${key}'"`;
}
