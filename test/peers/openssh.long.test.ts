/** OpenSSH's sftp and scp: every case of the matrix that each can do. */
import { openssh } from './clients/all.js';
import { testClients } from './suite.js';

testClients('openssh', openssh);
