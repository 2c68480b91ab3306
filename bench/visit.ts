/** One visit: connect, log in, put a file, leave. */
import ssh2 from 'ssh2';

export interface Visitor {
  port: number;
  username: string;
  privateKey: string | Buffer;
}

/** Resolves when the connection has ended. */
export function visit(visitor: Visitor, path: string, content: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    client.once('error', reject).once('ready', () =>
      client.sftp((failure, sftp) => {
        if (failure) return reject(failure);
        sftp.writeFile(path, content, (error) => {
          if (error) return reject(error);
          client.once('close', resolve).end();
        });
      }),
    );
    client.connect({ host: '127.0.0.1', ...visitor, readyTimeout: 120_000 });
  });
}
