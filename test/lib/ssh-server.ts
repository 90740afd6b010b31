import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const SSHD = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].find((path) => existsSync(path)) ?? null;

/** Whether this machine has an OpenSSH server to test against. */
export const hasSshServer = SSHD !== null && Bun.which("ssh-agent") !== null;

/** A real OpenSSH server on loopback that lets in one key, and an agent that holds it. */
export async function startSshServer(folder: string) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const at = (name: string) => join(folder, name);
  const keygen = (name: string) => {
    const made = Bun.spawnSync(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", at(name)]);
    if (!made.success) throw new Error(made.stderr.toString());
  };
  keygen("user");
  keygen("host");
  writeFileSync(at("authorized"), readFileSync(at("user.pub")), { mode: 0o600 });
  mkdirSync("/run/sshd", { recursive: true });
  const port = freePort();
  const user = Bun.spawnSync(["id", "-un"]).stdout.toString().trim();
  const settings = {
    Port: port,
    ListenAddress: "127.0.0.1",
    HostKey: at("host"),
    AuthorizedKeysFile: at("authorized"),
    StrictModes: "no",
    UsePAM: "no",
    PasswordAuthentication: "no",
    PidFile: "none",
  };
  const config = Object.entries(settings).map(([name, value]) => `${name} ${value}\n`);
  writeFileSync(at("config"), config.join(""));
  const start = () =>
    Bun.spawn([SSHD ?? "sshd", "-D", "-e", "-f", at("config")], { stdio: ["ignore", "ignore", Bun.file(at("log"))] });
  let daemon = start();
  const socket = at("agent");
  const agent = Bun.spawn(["ssh-agent", "-D", "-a", socket], { stdio: ["ignore", "ignore", "ignore"] });
  await until(() => existsSync(socket));
  Bun.spawnSync(["ssh-add", "-q", at("user")], { env: { PATH: process.env.PATH ?? "", SSH_AUTH_SOCK: socket } });
  await until(() => answers(port));
  return {
    /** `ssh://user@127.0.0.1:port`; a path follows. */
    url: `ssh://${user}@127.0.0.1:${port}`,
    env: { SSH_AUTH_SOCK: socket },
    /** As known_hosts has it. */
    hostLine: () => `[127.0.0.1]:${port} ${readFileSync(at("host.pub"), "utf8").split(" ").slice(0, 2).join(" ")}\n`,
    /** Comes back with another key, as somebody in between would. */
    async changeHostKey() {
      daemon.kill();
      await daemon.exited;
      Bun.spawnSync(["rm", at("host"), at("host.pub")]);
      keygen("host");
      daemon = start();
      await until(() => answers(port));
    },
    async stop() {
      daemon.kill();
      agent.kill();
      await Promise.all([daemon.exited, agent.exited]);
    },
  };
}

function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = server;
  server.stop(true);
  return port;
}

async function answers(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.end();
    return true;
  } catch {
    return false;
  }
}

async function until(look: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (await look()) return;
    await Bun.sleep(10);
  }
  throw new Error("the ssh server does not start");
}
