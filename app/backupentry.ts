/** The module that the scheduler forks as the process of a scheduled backup. */
import { obeyScheduler } from './backupmain.js';

obeyScheduler();
