/** Python's libraries, which integrations are built on: every case of the matrix that each can do. */
import { libraries } from './clients/all.js';
import { testClients } from './suite.js';

testClients('libraries', libraries);
