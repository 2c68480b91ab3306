/** Words of counts. */
import { amount } from './words.js';

export const counts = {
  created: (count: number) => `${amount(count)} new`,
  updated: (count: number) => `${amount(count)} changed`,
  deactivated: (count: number) => `${amount(count)} deactivated`,
  unchanged: (count: number) => `${amount(count)} as before`,
};
