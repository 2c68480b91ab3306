/** All texts of the console, by page: a translation replaces this folder. */
import { counts } from './counts.js';
import { account, errors, frame, invitation, messages, provider, signIn } from './frame.js';
import { home, imports, live, review, run, undo } from './imports.js';
import { navigation } from './navigation.js';
import {
  added,
  arrivals,
  audit,
  directory,
  events,
  network,
  operators,
  organization,
  overview,
  runs,
  system,
  welcome,
} from './operator.js';
import {
  check,
  connection,
  correction,
  help,
  members,
  notifications,
  people,
  person,
  pgp,
  team,
  teams,
  tree,
} from './organization.js';

export const texts = {
  ...{
    account,
    check,
    connection,
    correction,
    counts,
    errors,
    frame,
    help,
    home,
    imports,
    invitation,
    members,
    navigation,
  },
  ...{ added, arrivals, audit, directory, events, network, operators, organization, runs, system, welcome },
  ...{
    live,
    messages,
    notifications,
    overview,
    people,
    person,
    pgp,
    provider,
    review,
    run,
    signIn,
    team,
    teams,
    tree,
    undo,
  },
};
