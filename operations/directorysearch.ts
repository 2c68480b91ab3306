/** Finds a person in the directories of all organizations by their address. */
import { findOrgsOfUser } from '../db/directory/users.js';
import { emailKey } from '../importer/read/normalize.js';
import type { Workplace } from './workplace.js';

const mostFound = 100;

/** The organizations that have this person, with the address as it was written. */
export function findPerson({ directory }: Workplace, email: string): Promise<{ org: string; email: string }[]> {
  return findOrgsOfUser(directory.read, emailKey(email.trim()), mostFound);
}
