/** PuTTY's psftp and pscp, and FileZilla: every case of the matrix that each can do. */
import { putty } from './clients/all.js';
import { testClients } from './suite.js';

testClients('putty', putty);
