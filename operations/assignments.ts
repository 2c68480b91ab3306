/** The form in which commands take values: `KEY=VALUE…`. */
import { OperationError } from './error.js';

/** Splits `slot=03:00`. @throws OperationError `usage` */
export function splitAssignments(assignments: readonly string[]): Record<string, string> {
  const values: Record<string, string> = {};
  for (const assignment of assignments) {
    const at = assignment.indexOf('=');
    if (at < 1)
      throw new OperationError('usage', `"${assignment}" must have the form KEY=VALUE, for example slot=03:00`);
    values[assignment.slice(0, at)] = assignment.slice(at + 1);
  }
  return values;
}
