/** The version of every JSON that Dropslot writes for programs: docs/json.md describes each form. */

/** Raised when a member is removed or changes its meaning; a new member does not raise it. */
export const schemaVersion = 1;

/** The value with its version, as its first member. */
export function withSchema<T extends object>(value: T): { schema: number } & T {
  return { schema: schemaVersion, ...value };
}
