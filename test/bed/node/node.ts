import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { busyboxArchive } from "../busybox-image.ts";
import { type Daemon, freePort, ready, startDaemon } from "../daemon.ts";
import { goProgram } from "../go-program.ts";
import { cniConflist, containerdToml, kubeconfig, kubeletYaml, type NodePaths } from "./config.ts";
import { makePki } from "./pki.ts";

/** A real single-node Kubernetes on loopback: etcd, apiserver, controllers, scheduler, kubelet, containerd. */
export interface KubeNode {
  readonly server: string;
  /** File of the administrator (client certificate). */
  readonly kubeconfig: string;
  /** Content of a kubeconfig with a bearer token: `admin` may everything, `limited` nothing until a Role lets it. */
  configFor(user: "admin" | "limited"): string;
  /** PEM file of the cluster's CA. */
  readonly caFile: string;
  /** Where pods reach servers of this machine that listen on every address; they have no way further. */
  readonly gateway: string;
  /** kubectl as administrator; its stdout. Throws what it said. */
  kubectl(args: readonly string[], stdin?: string): Promise<string>;
  /** Gives the node the images of a docker or OCI archive. */
  load(archive: string): void;
  /** Further names of an image that the node has. */
  tag(image: string, ...names: readonly string[]): void;
  /** SIGKILL to every process of one container, as want of memory does; `containerd://…` of a pod's status. */
  killContainer(id: string): void;
  /** Ends every process and container, and removes the folder, mounts, bridge and cgroups. */
  end(): Promise<void>;
}

/** Why a node cannot run here; null: it can. */
export function nodeMissing(): string | null {
  if (goProgram("kube") === null) return "kube was not built (test/bed/provision.ts)";
  for (const name of ["containerd", "ctr", "runc", "kubectl", "openssl", "podman"]) {
    if (Bun.which(name) === null) return `no ${name} on PATH`;
  }
  return process.getuid?.() === 0 ? null : "a node needs root";
}

const TOKENS = 'admintoken,admin2,u2,"system:masters"\nlimitedtoken,limited,u3,"devs"\n';

/** Up in about five seconds, 750 MB. Images there: `localhost/bb:1`, `localhost/pause:1`; use imagePullPolicy Never. */
export async function startNode(): Promise<KubeNode> {
  const dir = mkdtempSync(join(tmpdir(), "runner-node-"));
  const pki = join(dir, "pki");
  const hash = Number(Bun.hash(dir) % 1_000_000n);
  const bridge = `kb${hash.toString(36)}`;
  const subnet = `${200 + (hash % 50)}.${hash % 251}`;
  const paths: NodePaths = { dir, pki, bridge, subnet, socket: join(dir, "containerd.sock") };
  for (const folder of [pki, join(dir, "cni")]) mkdirSync(folder, { recursive: true });
  makePki(pki);
  writeFileSync(join(pki, "tokens.csv"), TOKENS);
  const server = `https://127.0.0.1:${await freePort()}`;
  const admin = join(dir, "kubeconfig");
  const base64 = (file: string) => readFileSync(join(pki, file)).toString("base64");
  const certificate = { "client-certificate-data": base64("admin.crt"), "client-key-data": base64("admin.key") };
  writeFileSync(admin, kubeconfig(server, pki, certificate), { mode: 0o600 });
  const daemons: Daemon[] = [];
  const node: KubeNode = {
    server,
    kubeconfig: admin,
    configFor: (user) => kubeconfig(server, pki, { token: `${user}token` }),
    caFile: join(pki, "ca.crt"),
    gateway: `10.${subnet}.1`,
    kubectl: (args, stdin) => kubectl(admin, args, stdin),
    load: (archive) => importImages(paths.socket, archive),
    tag: (image, ...names) => tagImage(paths.socket, image, names),
    killContainer: (id) => killContainer(paths.socket, id),
    end: () => endNode(paths, daemons),
  };
  try {
    await startControlPlane(paths, server, daemons);
    await startKubelet(paths, daemons);
    await ready("the service account", () => succeeds(node, ["get", "sa", "default"]), daemons);
    await ready("the node", () => succeeds(node, ["get", "node", "localhost"]), daemons);
    await node.kubectl(["wait", "--for=condition=Ready", "node/localhost", "--timeout=60s"]);
    return node;
  } catch (error) {
    await node.end();
    throw error;
  }
}

async function startControlPlane({ dir, pki }: NodePaths, server: string, daemons: Daemon[]): Promise<void> {
  const port = new URL(server).port;
  const etcd = `http://127.0.0.1:${await freePort()}`;
  const start = (name: string, args: readonly string[]) =>
    daemons.push(startDaemon(dir, name, [kube(), name, ...args]));
  // biome-ignore format: one flag and its value on a line read worse
  start("etcd", [
    "--data-dir", join(dir, "etcd"), "--listen-client-urls", etcd, "--advertise-client-urls", etcd,
    "--listen-peer-urls", "http://127.0.0.1:0", "--unsafe-no-fsync", "--log-level", "warn",
  ]);
  const file = (name: string) => join(pki, name);
  start("kube-apiserver", [
    `--etcd-servers=${etcd}`,
    "--bind-address=127.0.0.1",
    "--advertise-address=127.0.0.1",
    `--secure-port=${port}`,
    "--service-cluster-ip-range=10.96.0.0/16",
    `--tls-cert-file=${file("server.crt")}`,
    `--tls-private-key-file=${file("server.key")}`,
    `--client-ca-file=${file("ca.crt")}`,
    `--token-auth-file=${file("tokens.csv")}`,
    "--authorization-mode=RBAC",
    "--anonymous-auth=false",
    "--allow-privileged=true",
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-key-file=${file("sa.pub")}`,
    `--service-account-signing-key-file=${file("sa.key")}`,
    `--kubelet-client-certificate=${file("admin.crt")}`,
    `--kubelet-client-key=${file("admin.key")}`,
    `--kubelet-certificate-authority=${file("ca.crt")}`,
    "--kubelet-preferred-address-types=Hostname,InternalIP",
    "--disable-admission-plugins=TaintNodesByCondition",
    "--endpoint-reconciler-type=none",
  ]);
  const ca = readFileSync(file("ca.crt"), "utf8");
  const headers = { authorization: "Bearer admintoken" };
  await ready("the apiserver", async () => (await fetch(`${server}/readyz`, { headers, tls: { ca } })).ok, daemons);
  const common = [`--kubeconfig=${join(dir, "kubeconfig")}`, "--bind-address=127.0.0.1", "--secure-port=0"];
  start("kube-controller-manager", [
    ...common,
    "--leader-elect=false",
    `--service-account-private-key-file=${file("sa.key")}`,
    `--root-ca-file=${file("ca.crt")}`,
  ]);
  start("kube-scheduler", [...common, "--leader-elect=false"]);
}

async function startKubelet(paths: NodePaths, daemons: Daemon[]): Promise<void> {
  const { dir, socket } = paths;
  makeCgroups(paths.bridge);
  writeFileSync(join(dir, "containerd.toml"), containerdToml(paths));
  writeFileSync(join(dir, "cni", "10-bridge.conflist"), cniConflist(paths));
  writeFileSync(join(dir, "kubelet.yaml"), kubeletYaml(paths, await freePort()));
  daemons.push(startDaemon(dir, "containerd", ["containerd", "-c", join(dir, "containerd.toml")]));
  await ready("containerd", () => ctr(socket, "version").success, daemons);
  importImages(socket, busyboxArchive());
  const folders = [`--root-dir=${join(dir, "kubelet")}`, `--cert-dir=${join(dir, "kcert")}`];
  const files = [`--config=${join(dir, "kubelet.yaml")}`, `--kubeconfig=${join(dir, "kubeconfig")}`];
  daemons.push(startDaemon(dir, "kubelet", [kube(), "kubelet", ...files, ...folders, "--hostname-override=localhost"]));
}

function importImages(socket: string, archive: string): void {
  const loaded = ctr(socket, "-n", "k8s.io", "images", "import", archive);
  if (!loaded.success) throw new Error(`ctr images import: ${loaded.stderr.toString()}`);
}

function tagImage(socket: string, image: string, names: readonly string[]): void {
  const tagged = ctr(socket, "-n", "k8s.io", "images", "tag", image, ...names);
  if (!tagged.success) throw new Error(`ctr images tag: ${tagged.stderr.toString()}`);
}

/** By the node's own containerd, which knows no process but those of its containers. */
function killContainer(socket: string, id: string): void {
  const name = /^containerd:\/\/([0-9a-f]{64})$/.exec(id)?.[1];
  if (name === undefined) throw new Error(`not a container: ${id}`);
  const killed = ctr(socket, "-n", "k8s.io", "tasks", "kill", "-a", "-s", "KILL", name);
  if (!killed.success) throw new Error(`ctr tasks kill: ${killed.stderr.toString()}`);
}

/** Killed, not asked: a polite apiserver takes 10 s. What containerd leaves (tasks, mounts, bridge) goes one by one. */
async function endNode({ dir, socket, bridge }: NodePaths, daemons: readonly Daemon[]): Promise<void> {
  const containerd = daemons.find((daemon) => daemon.name === "containerd");
  for (const daemon of [...daemons].reverse()) if (daemon !== containerd) await daemon.end("SIGKILL");
  if (containerd !== undefined) {
    const list = (what: string) =>
      ctr(socket, "-n", "k8s.io", what, "ls", "-q").stdout.toString().split("\n").filter(Boolean);
    for (const task of list("tasks")) ctr(socket, "-n", "k8s.io", "tasks", "kill", "-s", "KILL", task);
    await Bun.sleep(300);
    for (const id of list("containers")) {
      ctr(socket, "-n", "k8s.io", "tasks", "rm", "-f", id);
      ctr(socket, "-n", "k8s.io", "containers", "rm", id);
    }
    await containerd.end();
  }
  const mounts = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "");
  for (const mount of mounts
    .filter((path) => path.startsWith(`${dir}/`))
    .sort()
    .reverse())
    quietly(["umount", "-l", mount]);
  const ports = quietly(["ip", "-o", "link", "show", "master", bridge]).split("\n");
  for (const port of ports) {
    const name = /^\d+: ([^@:]+)/.exec(port)?.[1];
    if (name !== undefined) quietly(["ip", "link", "del", name]);
  }
  quietly(["ip", "link", "del", bridge]);
  for (const root of cgroupRoots()) removeCgroups(join(root, bridge));
  rmSync(dir, { recursive: true, force: true });
}

/** cgroup v1 has a tree per controller, v2 one. The kubelet wants its root to be there. */
const cgroupRoots = () =>
  existsSync("/sys/fs/cgroup/cgroup.controllers")
    ? ["/sys/fs/cgroup"]
    : readdirSync("/sys/fs/cgroup").map((name) => join("/sys/fs/cgroup", name));

function makeCgroups(name: string): void {
  for (const root of cgroupRoots()) {
    const group = join(root, name);
    mkdirSync(group, { recursive: true });
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      if (root.endsWith("cpuset")) writeFileSync(join(group, file), readFileSync(join(root, file)));
    }
  }
}

/** Groups are empty folders once their processes are gone. */
function removeCgroups(group: string): void {
  try {
    for (const entry of readdirSync(group, { withFileTypes: true })) {
      if (entry.isDirectory()) removeCgroups(join(group, entry.name));
    }
    rmdirSync(group);
  } catch {
    // Gone already.
  }
}

const kube = () => goProgram("kube") ?? "kube";
const ctr = (socket: string, ...args: string[]) =>
  Bun.spawnSync(["ctr", "-a", socket, ...args], { stdio: ["ignore", "pipe", "pipe"] });
const quietly = (argv: string[]) => Bun.spawnSync(argv, { stdio: ["ignore", "pipe", "ignore"] }).stdout.toString();

async function succeeds(node: KubeNode, args: readonly string[]): Promise<boolean> {
  await node.kubectl(args);
  return true;
}

async function kubectl(config: string, args: readonly string[], stdin?: string): Promise<string> {
  const child = Bun.spawn(["kubectl", ...args], {
    env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", KUBECONFIG: config },
    stdin: stdin === undefined ? "ignore" : new Blob([stdin]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${err.trim()}`);
  return out;
}
