/** The module that the server forks as the importer's process. */
import { obeyServer } from './importermain.js';

obeyServer();
