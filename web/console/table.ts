/** The table of all pages and actions. */
import { accountRoutes } from './pages/account.js';
import { arrivalRoutes } from './pages/arrivals.js';
import { auditRoutes } from './pages/audit.js';
import { checkRoutes } from './pages/check.js';
import { connectionRoutes } from './pages/connection.js';
import { directoryRoutes } from './pages/directory.js';
import { eventRoutes } from './pages/events.js';
import { helpRoutes } from './pages/help.js';
import { homeRoutes } from './pages/home.js';
import { importRoutes } from './pages/imports.js';
import { liveRoutes } from './pages/live.js';
import { memberRoutes } from './pages/members.js';
import { networkRoutes } from './pages/network.js';
import { notificationRoutes } from './pages/notifications.js';
import { operatorRoutes } from './pages/operators.js';
import { organizationRoutes } from './pages/organization.js';
import { treeRoutes } from './pages/orgtree.js';
import { peopleRoutes } from './pages/people.js';
import { reviewRoutes } from './pages/review.js';
import { runRoutes } from './pages/runs.js';
import { startRoutes } from './pages/start.js';
import { systemRoutes } from './pages/system.js';
import { teamRoutes } from './pages/teams.js';
import { undoRoutes } from './pages/undo.js';
import { welcomeRoutes } from './pages/welcome.js';
import type { ConsoleRoute } from './route.js';

export const routes: readonly ConsoleRoute[] = [
  ...startRoutes,
  ...accountRoutes,
  ...homeRoutes,
  ...importRoutes,
  ...liveRoutes,
  ...reviewRoutes,
  ...undoRoutes,
  ...checkRoutes,
  ...treeRoutes,
  ...peopleRoutes,
  ...teamRoutes,
  ...connectionRoutes,
  ...notificationRoutes,
  ...memberRoutes,
  ...helpRoutes,
  ...organizationRoutes,
  ...welcomeRoutes,
  ...runRoutes,
  ...directoryRoutes,
  ...eventRoutes,
  ...arrivalRoutes,
  ...networkRoutes,
  ...auditRoutes,
  ...systemRoutes,
  ...operatorRoutes,
];
