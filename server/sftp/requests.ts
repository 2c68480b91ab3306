/** Owns the table of SFTP version 3: every request with its number, whether it writes, its order and its handler. */
import { isReadOnly } from '../../storage/path.js';
import {
  closeFile,
  mayCreate,
  openFile,
  opensForWriting,
  readFile,
  setHandleAttributes,
  statHandle,
  writeFile,
} from './files.js';
import { makeFolder, openFolder, readFolder, removeFolder } from './folders.js';
import {
  looksInsideReadOnly,
  refuseLink,
  removeFile,
  renamePath,
  resolvePath,
  setPathAttributes,
  statPath,
} from './paths.js';
import { type AnyRequest, atOnce, byClose, byHandle, byPath, type Request } from './request.js';

/** INIT opens the session and EXTENDED names a row of the extensions' table: the session knows these two itself. */
export const initNumber = 1;
export const extendedNumber = 200;

/** draft-ietf-secsh-filexfer-02, section 3. */
export const requests: ReadonlyMap<number, AnyRequest> = new Map([
  row(3, {
    name: 'OPEN',
    writes: mayCreate,
    reads: (args) => !opensForWriting(args),
    order: byPath,
    handler: openFile,
  }),
  row(4, { name: 'CLOSE', writes: false, order: byClose, handler: closeFile }),
  row(5, {
    name: 'READ',
    writes: false,
    reads: true,
    order: byHandle,
    handler: readFile,
    costBytes: ({ length }) => length,
  }),
  row(6, { name: 'WRITE', writes: true, order: byHandle, handler: writeFile }),
  row(7, { name: 'LSTAT', writes: false, reads: looksInsideReadOnly, order: byPath, handler: statPath }),
  row(8, { name: 'FSTAT', writes: false, order: byHandle, handler: statHandle }),
  row(9, { name: 'SETSTAT', writes: true, order: byPath, handler: setPathAttributes }),
  row(10, { name: 'FSETSTAT', writes: true, order: byHandle, handler: setHandleAttributes }),
  row(11, {
    name: 'OPENDIR',
    writes: false,
    reads: ({ path }) => isReadOnly(path),
    order: byPath,
    handler: openFolder,
  }),
  row(12, { name: 'READDIR', writes: false, order: byHandle, handler: readFolder }),
  row(13, { name: 'REMOVE', writes: true, order: byPath, handler: removeFile }),
  row(14, { name: 'MKDIR', writes: true, order: byPath, handler: makeFolder }),
  row(15, { name: 'RMDIR', writes: true, order: byPath, handler: removeFolder }),
  row(16, { name: 'REALPATH', writes: false, order: atOnce, handler: resolvePath }),
  row(17, { name: 'STAT', writes: false, reads: looksInsideReadOnly, order: byPath, handler: statPath }),
  row(18, { name: 'RENAME', writes: true, order: byPath, handler: renamePath({ overwrite: false }) }),
  row(19, { name: 'READLINK', writes: false, order: atOnce, handler: refuseLink }),
  row(20, { name: 'SYMLINK', writes: true, order: atOnce, handler: refuseLink }),
]);

function row<A>(number: number, request: Request<A>): [number, AnyRequest] {
  return [number, request as AnyRequest];
}
