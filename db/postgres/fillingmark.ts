/** Marks the connections that fill a database: a setting of PostgreSQL, which triggers read (db/move/state.ts). */
export const fillingMark = 'dropslot.filling';
