/** The entry of the importer's process, which the server forks. */
import { followParent } from './importer.js';

followParent();
