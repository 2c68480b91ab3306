/** Libraries that integrations are built on, and what hides SFTP from its user: every case of the matrix that each can do. */
import { libraries } from './clients/all.js';
import { testClients } from './suite.js';

testClients('libraries', libraries);
