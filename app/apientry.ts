/** The module that the server forks as the process of the HTTP API. */
import { obeyServer } from './apimain.js';

obeyServer();
