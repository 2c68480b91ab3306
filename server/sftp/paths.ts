/** Requests on paths: look, set attributes, remove, rename, resolve; and those about links, which there are none of. */
import { readmePath, readOnlyRoots } from '../../db/control/treelayout.js';
import { isReadOnly } from '../../storage/path.js';
import { type Entry, SpaceError } from '../../storage/types.js';
import { type GivenAttributes, readAttributes } from './attributes.js';
import { SftpError } from './error.js';
import { setUploadAttributes } from './files.js';
import type { UploadHandle } from './handles.js';
import { replyAttributes, replyPath, replyStatus } from './reply.js';
import type { Context, Handler } from './request.js';
import { okStatus } from './status.js';

/** rclone, sshfs and others stat a path that they have not closed yet: a session sees its own uploads. */
export const statPath: Handler<{ path: string }> = {
  read: (packet) => ({ path: packet.path() }),
  async run({ space, handles }, { path }, id) {
    const own = handles.findUpload(path);
    const entry = own === null ? await space.stat(path) : await statUpload(own);
    return replyAttributes(id, entry);
  },
};

/** An upload-only session sees the read-only folders and `/README.txt` in the list of `/`, and nothing inside them. */
export function looksInsideReadOnly({ path }: { path: string }): boolean {
  return isReadOnly(path) && path !== readmePath && !readOnlyRoots.includes(path);
}

/** Waits for the writes before it: clients compare the size with the bytes that they sent. */
function statUpload({ lock, upload }: UploadHandle): Promise<Entry> {
  return lock.exclusive(() => Promise.resolve(upload.entry()));
}

export const setPathAttributes: Handler<{ path: string; given: GivenAttributes }> = {
  read: (packet) => ({ path: packet.path(), given: readAttributes(packet) }),
  async run(context, { path, given }, id) {
    const own = context.handles.findUpload(path);
    if (own !== null) {
      await own.lock.exclusive(() => setUploadAttributes(own, given));
    } else {
      if (given.size !== null) await resizeFile(context, path, given.size);
      await context.space.setAttributes(path, given.attributes);
    }
    return replyStatus(id, okStatus);
  },
};

/** A file of another size is another version of it: it enters as an upload of its own. */
async function resizeFile({ space, intake }: Context, path: string, size: number): Promise<void> {
  const entry = await space.stat(path);
  if (entry.kind === 'dir') throw new SpaceError('is_a_folder', `${path} is a folder and has no size`);
  if (entry.size === size) return;
  const upload = await intake.begin(path, {
    truncate: false,
    exclusive: false,
    create: false,
    append: false,
    attributes: { mode: entry.mode },
  });
  try {
    await upload.setSize(size);
    await upload.finish();
  } catch (error) {
    await upload.abort();
    throw error;
  }
}

export const removeFile: Handler<{ path: string }> = {
  read: (packet) => ({ path: packet.path() }),
  async run({ intake }, { path }, id) {
    await intake.remove(path);
    return replyStatus(id, okStatus);
  },
};

interface RenameArgs {
  from: string;
  to: string;
}

/** SSH_FXP_RENAME never overwrites (draft-ietf-secsh-filexfer-02, section 6.5); posix-rename@openssh.com does. */
export function renamePath({ overwrite }: { overwrite: boolean }): Handler<RenameArgs> {
  return {
    read: (packet) => ({ from: packet.path(), to: packet.path() }),
    async run({ intake, handles }, { from, to }, id) {
      await intake.rename(from, to, overwrite);
      handles.moveFolders(from, to);
      return replyStatus(id, okStatus);
    },
  };
}

/** Only normalizes: clients resolve names that they are about to create. */
export const resolvePath: Handler<{ path: string }> = {
  read: (packet) => ({ path: packet.path() }),
  run: (_context, { path }, id) => Promise.resolve(replyPath(id, path)),
};

export const refuseLink: Handler<null> = {
  read: () => null,
  run: () => Promise.reject(new SftpError('no_links', 'links are not served')),
};
