/** The table of all routes. */
import type { Route } from './route.js';
import { checkRoutes } from './routes/checks.js';
import { directoryRoutes } from './routes/directory.js';
import { doorRoutes } from './routes/doors.js';
import { dropRoutes } from './routes/drops.js';
import { editRoutes } from './routes/edits.js';
import { fileRoutes } from './routes/files.js';
import { keyRoutes } from './routes/keys.js';
import { networkRoutes } from './routes/network.js';
import { notificationRoutes } from './routes/notifications.js';
import { orgRoutes } from './routes/orgs.js';
import { recordRoutes } from './routes/records.js';
import { runReportRoutes } from './routes/runreports.js';
import { runRoutes } from './routes/runs.js';
import { serverRoutes } from './routes/server.js';
import { sessionRoutes } from './routes/sessions.js';
import { subscriberRoutes } from './routes/subscribers.js';
import { systemRoutes } from './routes/system.js';

export const routes: readonly Route[] = [
  ...serverRoutes,
  ...orgRoutes,
  ...keyRoutes,
  ...dropRoutes,
  ...fileRoutes,
  ...runRoutes,
  ...checkRoutes,
  ...directoryRoutes,
  ...editRoutes,
  ...runReportRoutes,
  ...recordRoutes,
  ...doorRoutes,
  ...subscriberRoutes,
  ...notificationRoutes,
  ...networkRoutes,
  ...sessionRoutes,
  ...systemRoutes,
];
