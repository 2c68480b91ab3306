/** The module that the server forks as a worker. */
import { obeyServer } from './workermain.js';

obeyServer();
