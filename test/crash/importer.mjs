/** The built importer's process, which dies at a step that its environment names, and takes its server along. */
import { followParent } from '../../dist/app/importermain.js';
import { dieAt } from './fuse.mjs';

followParent(dieAt([process.ppid, process.pid]));
