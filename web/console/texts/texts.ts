/** All texts of the console, by page: a translation replaces this folder. */
import { counts } from './counts.js';
import { account, errors, frame, invitation, signIn } from './frame.js';
import { home, imports, review, run } from './imports.js';
import { navigation } from './navigation.js';
import { overview } from './operator.js';

export const texts = {
  account,
  counts,
  errors,
  frame,
  home,
  imports,
  invitation,
  navigation,
  overview,
  review,
  run,
  signIn,
};
