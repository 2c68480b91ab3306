"""Steps of the matrix with paramiko: host, port, user, key as arguments; one step a line, its words parted by tabs."""
import hashlib
import os
import stat
import sys

import paramiko

host, port, user, key_file, key_type = sys.argv[1:6]
load = {'ed25519': paramiko.Ed25519Key, 'ecdsa': paramiko.ECDSAKey, 'rsa': paramiko.RSAKey}[key_type]
transport = paramiko.Transport((host, int(port)))
transport.connect(username=user, pkey=load.from_private_key_file(key_file))
sftp = paramiko.SFTPClient.from_transport(transport)


def put(source, path):
    attributes = sftp.put(source, path)  # asks STAT, and compares the size
    assert attributes.st_size == os.path.getsize(source), attributes
    times = os.stat(source)
    sftp.utime(path, (times.st_atime, times.st_mtime))


def resume(source, path):
    size = sftp.stat(path).st_size
    with open(source, 'rb') as local, sftp.open(path, 'ab') as remote:
        remote.set_pipelined(True)
        local.seek(size)
        while chunk := local.read(32768):
            remote.write(chunk)


def put_tree(folder, path):
    sftp.mkdir(path)
    for entry in os.scandir(folder):
        (put_tree if entry.is_dir() else put)(entry.path, path + '/' + entry.name)


def list_folder(path):
    for attributes in sftp.listdir_attr(path):
        assert stat.S_ISDIR(attributes.st_mode) or attributes.st_size >= 0
        print(attributes.filename)


def write_lines(path, count):
    """Many small writes that wait for no answer, then one more at the end."""
    with sftp.open(path, 'w') as file:
        file.set_pipelined(True)
        for line in range(int(count)):
            file.write('Team %d,owner@acme.test\n' % line)
    with sftp.open(path, 'a') as file:
        file.write('one more\n')
    with sftp.open(path) as file:
        text = file.read()
    assert text.count(b'\n') == int(count) + 1 and text.endswith(b'one more\n')


def truncate(path, size):
    sftp.truncate(path, int(size))
    assert sftp.stat(path).st_size == int(size)


def put_stream(source, path):
    with open(source, 'rb') as local:
        sftp.putfo(local, path, file_size=os.path.getsize(source), confirm=True)


def get_ahead(path, target):
    """Many READs in flight."""
    with sftp.open(path) as remote, open(target, 'wb') as local:
        remote.prefetch(remote.stat().st_size)
        while chunk := remote.read(32768):
            local.write(chunk)


def check(source, path):
    """The server's checksums, of all of it and of a part."""
    with open(source, 'rb') as local:
        sent = local.read()
    with sftp.open(path) as file:
        for name in ('sha256', 'md5'):
            assert file.check(name) == hashlib.new(name, sent).digest(), name
        assert file.check('sha1', 1000, 2000) == hashlib.sha1(sent[1000:3000]).digest()


steps = {
    'check': check,
    'put': put,
    'resume': resume,
    'putTree': put_tree,
    'get': sftp.get,
    'list': list_folder,
    'rename': sftp.posix_rename,
    'write_lines': write_lines,
    'truncate': truncate,
    'put_stream': put_stream,
    'get_ahead': get_ahead,
}
for line in sys.stdin.read().splitlines():
    verb, *words = line.split('\t')
    steps[verb](*words)
transport.close()
