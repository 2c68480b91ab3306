/** JSch, on Java: every case of the matrix that it can do. */
import { java } from './clients/all.js';
import { testClients } from './suite.js';

testClients('java', java);
