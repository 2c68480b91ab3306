/** What runs on node: a library, and a replay. Every case of the matrix that each can do. */
import { nodes } from './clients/all.js';
import { testClients } from './suite.js';

testClients('nodes', nodes);
