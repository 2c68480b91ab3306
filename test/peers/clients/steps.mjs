// Steps of the matrix with ssh2-sftp-client: host, port, user, key as arguments; one step a line, its words parted by tabs.
import { createReadStream, createWriteStream, readFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import SftpClient from 'ssh2-sftp-client';

const [host, port, username, keyFile] = process.argv.slice(2);
const sftp = new SftpClient();

const steps = {
  // Many WRITEs in flight, which come in any order.
  put: (from, to) => sftp.fastPut(from, to),
  async resume(from, to) {
    const { size } = await sftp.stat(to);
    await sftp.put(createReadStream(from, { start: size }), to, { writeStreamOptions: { flags: 'r+', start: size } });
  },
  putTree: (from, to) => sftp.uploadDir(from, to),
  get: (from, to) => sftp.fastGet(from, to),
  rename: (from, to) => sftp.posixRename(from, to),
  list: async (folder) => console.log((await sftp.list(folder)).map(({ name }) => name).join('\n')),
  putBuffer: (from, to) => sftp.put(readFileSync(from), to),
  putStream: (from, to) => sftp.put(createReadStream(from), to),
  append: (from, to) => sftp.append(readFileSync(from), to),
  writeStream: (from, to) => pipeline(createReadStream(from), sftp.createWriteStream(to)),
  readStream: (from, to) => pipeline(sftp.createReadStream(from), createWriteStream(to)),
  async folders() {
    await sftp.mkdir('/a/b/c', true);
    await sftp.rmdir('/a', true);
    console.log(await sftp.exists('/a'), await sftp.exists('/'));
  },
};

try {
  await sftp.connect({ host, port: Number(port), username, privateKey: readFileSync(keyFile) });
  for (const line of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
    const [verb, ...words] = line.split('\t');
    await steps[verb](...words);
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
await sftp.end();
