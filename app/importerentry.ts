/** The entry of the importer's process, which the server forks. */
import { followParent } from './importermain.js';

followParent();
