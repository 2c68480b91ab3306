"""Steps of the matrix with fzsftp, the program that FileZilla does SFTP with, driven as FileZilla drives it.

Arguments: host, port, user, key file of PuTTY; one step a line, its words parted by tabs. fzsftp reads commands and
answers as lines. It tells events: a character (0 and the event's number), and lines of text for most of them. Files go
through memory that is shared with it: it asks for the next buffer, and is told its place and length.
"""
import mmap
import os
import subprocess
import sys

host, port, user, key_file = sys.argv[1:5]
BUFFER = 1 << 18
reply, done, error = 0, 1, 2
list_entry = 8
ask_hostkey, ask_changed, ask_better = 9, 10, 11
quota_receive, quota_send = 16, 17
io_size, io_open, io_nextbuf, io_finalize = 26, 27, 28, 29
lines_of = {list_entry: 3, ask_hostkey: 2, ask_changed: 2, ask_better: 2, quota_receive: 0, quota_send: 0, io_size: 0}

memory_fd = os.memfd_create('buffers')
os.set_inheritable(memory_fd, True)
os.ftruncate(memory_fd, BUFFER)
memory = mmap.mmap(memory_fd, BUFFER)
program = subprocess.Popen(['fzsftp', '-v'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[memory_fd])


def say(line):
    program.stdin.write(line.encode() + b'\n')
    program.stdin.flush()


def events():
    while character := program.stdout.read(1):
        if character in b'\r\n':
            continue
        event = character[0] - ord('0')
        yield event, [program.stdout.readline().decode().rstrip('\r\n') for _ in range(lines_of.get(event, 1))]
    raise SystemExit('fzsftp ended: ' + said[-1])


told = events()
said = ['nothing']


def command(line, source=None, target=None):
    """Does a command; the entries that it listed. A file is read from `source`, or written to `target`."""
    say(line)
    texts = []
    for event, text in told:
        if event == done:
            if text[0] != '1':
                raise SystemExit(said[-1])
            return texts
        if event == reply:
            return texts
        if event == list_entry:
            texts.append(text)
        elif event == error:
            said.append(text[0])
        elif event in (ask_hostkey, ask_changed, ask_better):
            say('n')  # this once
        elif event in (quota_receive, quota_send):
            say('-%d-' % (event - quota_receive))  # no limit
        elif event == io_open:
            if source is not None:
                source.seek(int(text[0]))
            say('-%d %d' % (memory_fd, BUFFER))
        elif event == io_nextbuf and source is not None:
            length = source.readinto(memory)
            say('-0 %d' % length if length > 0 else '-')
        elif event == io_nextbuf:
            target.write(memory[: int(text[0])])
            say('-0 %d' % BUFFER)
        elif event == io_finalize:
            target.write(memory[: int(text[0])])
            say('-1')


def quote(text):
    return '"' + text.replace('"', '""') + '"'


def send(verb, source, path):
    with open(source, 'rb') as file:
        command(f'{verb} {quote(source)} {quote(path)}', source=file)
    command(f'chmtime {int(os.stat(source).st_mtime)} {quote(path)}')


def get(path, target):
    with open(target, 'wb') as file:
        command(f'get {quote(path)} {quote(target)}', target=file)


def put_tree(folder, path):
    command(f'mkdir {quote(path)}')
    for entry in os.scandir(folder):
        if entry.is_dir():
            put_tree(entry.path, path + '/' + entry.name)
        else:
            send('put', entry.path, path + '/' + entry.name)


def list_folder(path):
    command(f'cd {quote(path)}')
    for _, _, name in command('ls'):
        print(name)


steps = {
    'put': lambda source, path: send('put', source, path),
    'resume': lambda source, path: send('reput', source, path),
    'putTree': put_tree,
    'get': get,
    'rename': lambda old, new: command(f'mv {quote(old)} {quote(new)}'),
    'list': list_folder,
    'say': command,
}
next(told)
command(f'keyfile {quote(key_file)}')
command(f'open {quote(user + "@" + host)} {port}')
for line in sys.stdin.read().splitlines():
    verb, *words = line.split('\t')
    steps[verb](*words)
program.stdin.close()
program.wait()
