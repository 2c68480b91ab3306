/** The built importer's process, which dies at a step that its environment names, and takes its server along. */
import { obeyServer } from '../../dist/app/importermain.js';
import { dieAt } from './fuse.mjs';

obeyServer(dieAt([process.ppid, process.pid]));
