import com.jcraft.jsch.ChannelSftp;
import com.jcraft.jsch.JSch;
import com.jcraft.jsch.Session;
import java.io.File;
import java.io.InputStreamReader;
import java.io.BufferedReader;
import java.nio.charset.StandardCharsets;

/** Steps of the matrix with JSch: host, port, user, key as arguments; one step a line, its words parted by tabs. */
public class Steps {
  private static ChannelSftp sftp;

  public static void main(String[] args) throws Exception {
    JSch jsch = new JSch();
    jsch.addIdentity(args[3]);
    Session session = jsch.getSession(args[2], args[0], Integer.parseInt(args[1]));
    session.setConfig("StrictHostKeyChecking", "no");
    session.setConfig("PreferredAuthentications", "publickey");
    session.connect(30_000);
    try {
      sftp = (ChannelSftp) session.openChannel("sftp");
      sftp.connect(30_000);
      BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      for (String line = lines.readLine(); line != null; line = lines.readLine()) perform(line.split("\t"));
      System.out.println("host key " + session.getHostKey().getType());
    } catch (com.jcraft.jsch.SftpException refused) {
      System.err.println(refused.id + ": " + refused.getMessage());
      System.exit(1);
    } finally {
      session.disconnect();
    }
  }

  private static void perform(String[] words) throws Exception {
    switch (words[0]) {
      case "put" -> put(new File(words[1]), words[2]);
      case "resume" -> sftp.put(words[1], words[2], ChannelSftp.RESUME);
      case "append" -> sftp.put(words[1], words[2], ChannelSftp.APPEND);
      case "putTree" -> putTree(new File(words[1]), words[2]);
      case "get" -> sftp.get(words[1], words[2]);
      case "rename" -> sftp.rename(words[1], words[2]);
      case "list" -> {
        for (Object entry : sftp.ls(words[1])) System.out.println(((ChannelSftp.LsEntry) entry).getFilename());
      }
      default -> throw new IllegalArgumentException(words[0]);
    }
  }

  private static void put(File source, String path) throws Exception {
    sftp.put(source.getPath(), path);
    sftp.setMtime(path, (int) (source.lastModified() / 1000));
  }

  private static void putTree(File folder, String path) throws Exception {
    sftp.mkdir(path);
    for (File entry : folder.listFiles()) {
      String below = path + "/" + entry.getName();
      if (entry.isDirectory()) putTree(entry, below);
      else put(entry, below);
    }
  }
}
