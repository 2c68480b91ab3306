/** Other programs that people start, or their scripts do: every case of the matrix that each can do. */
import { programs } from './clients/all.js';
import { testClients } from './suite.js';

testClients('programs', programs);
