"""Steps of the matrix with AsyncSSH: one a line, its words parted by tabs.

Arguments: host, port, user, key file, its type, and after how many bytes keys are exchanged again."""
import asyncio
import os
import sys

import asyncssh

host, port, user, key_file, key_type = sys.argv[1:6]
rekey_bytes = sys.argv[6] if len(sys.argv) > 6 else '1g'


async def resume(sftp, source, path):
    size = await sftp.getsize(path)
    with open(source, 'rb') as local:
        local.seek(size)
        async with sftp.open(path, 'ab') as remote:
            await remote.write(local.read())


async def list_folder(sftp, path):
    for entry in await sftp.readdir(path):
        print(entry.filename)


async def glob_sizes(sftp, pattern):
    print(sum([(await sftp.stat(path)).size for path in await sftp.glob(pattern)]))


steps = {
    # Many WRITEs in flight, which arrive in their order but end in any.
    'put': lambda sftp, source, path: sftp.put(source, path, preserve=True),
    'resume': resume,
    'putTree': lambda sftp, source, path: sftp.put(source, path, preserve=True, recurse=True),
    'get': lambda sftp, path, target: sftp.get(path, target),
    'list': list_folder,
    'rename': lambda sftp, old, new: sftp.posix_rename(old, new),
    'glob_sizes': glob_sizes,
    'mput': lambda sftp, pattern, path: sftp.mput(pattern, path),
    'rmtree': lambda sftp, path: sftp.rmtree(path),
    'truncate': lambda sftp, path, size: sftp.truncate(path, int(size)),
}


async def main():
    options = {'port': int(port), 'username': user, 'client_keys': [key_file], 'known_hosts': None, 'config': None}
    async with asyncssh.connect(host, rekey_bytes=rekey_bytes, **options) as connection:
        async with connection.start_sftp_client() as sftp:
            for line in sys.stdin.read().splitlines():
                verb, *words = line.split('\t')
                await steps[verb](sftp, *words)


asyncio.run(main())
