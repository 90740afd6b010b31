import { closeSync, copyFileSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type ImageUse, openImageFile } from "../../../internal/runner/supervisor/image-file.ts";
import { containedPresence, presenceOf } from "../../../internal/runner/supervisor/presence.ts";
import { openUpdateJournal, type UpdateDocument } from "../../../internal/runner/supervisor/update-journal.ts";
import { type Engine, startPodman } from "../../bed/engines.ts";
import { type Registry, startRegistry } from "../../bed/registry.ts";
import { type Control, startControl } from "../../faults/lib/control.ts";
import { type Bed, makeBed } from "../../faults/lib/processes.ts";
import type { Releases } from "./update-bed.ts";

const PID1 = join(import.meta.dir, "../../../bundle/container/rootfs/usr/local/lib/runner/pid1");
const USER = "65532:65532";

/** What stands between the engine and the registry. */
export type Fault = "none" | "away" | "tampered";

/** A machine whose runner is an image: a registry with versions of it, podman, mng, a coordinator. */
export interface ImageBed {
  readonly bed: Bed;
  readonly control: Control;
  readonly podman: Engine;
  readonly runnerId: string;
  /** `127.0.0.1:PORT/team/runner` */
  readonly repository: string;
  fault: Fault;
  /** State directory of the runner, which it sees as /var/lib/runner/install. */
  readonly stateDir: string;
  readonly imageFile: string;
  digest(version: string): string;
  /** Puts another image of the same program under a tag, new or not; its digest. */
  publishMore(from: string, version: string): string;
  mng(env?: Record<string, string>): { readonly exited: Promise<number> };
  keep(env?: Record<string, string>): void;
  stopMng(): Promise<void>;
  forget(): Promise<void>;
  want(version: string, place?: string): Promise<void>;
  job(type: string): Promise<string>;
  cli(env: Record<string, string>, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  log(): string;
  use(): ImageUse;
  journal(): UpdateDocument;
  connected(): string | null;
  runnerPid(): number | null;
  mngPid(): number | null;
  end(): Promise<void>;
}

export async function startImageBed(releases: Releases): Promise<ImageBed> {
  const bed = makeBed();
  const [podman, registry, control] = await Promise.all([startPodman(), startRegistry(), startControl(bed)]);
  const door = startDoor(registry);
  const ends = [() => podman.end(), async () => door.end(), () => registry.end(), () => bed.end()];
  try {
    return await setUp(releases, { bed, podman, registry, control, door, ends });
  } catch (error) {
    for (const end of ends) await end();
    throw error;
  }
}

interface Parts extends Pick<ImageBed, "bed" | "podman" | "control"> {
  readonly registry: Registry;
  readonly door: ReturnType<typeof startDoor>;
  readonly ends: readonly (() => Promise<unknown>)[];
}

async function setUp(releases: Releases, { bed, podman, registry, control, door, ends }: Parts): Promise<ImageBed> {
  const repository = `127.0.0.1:${door.port}/team/runner`;
  const images: Images = { podman, folder: bed.path("images"), place: `${registry.host}/team/runner` };
  const digests = publish(images, repository, releases);
  const [own, managed] = [await control.createRunner("mng"), await control.createRunner("vm")];
  const [stateDir, mngDir, logFile] = [bed.path("state/image"), bed.path("state/mng"), bed.path("mng.log")];
  const imageFile = bed.path("image.env");
  const program = releases.program("1.0.0");
  writeFileSync(imageFile, `RUNNER_IMAGE=${repository}:1.0.0\n`, { mode: 0o600 });
  writeFileSync(bed.path("managed.env"), `RUNNER_ID=${managed.id}\nRUNNER_API_TOKEN=${managed.token}\n`);
  const settings: Record<string, string> = {
    PATH: process.env.PATH ?? "/usr/bin:/bin",
    HOME: bed.root,
    TMPDIR: bed.root,
    ...podman.env,
    RUNNER_CONTAINER_ENGINE: "podman",
    RUNNER_API_URL: control.url,
    RUNNER_ID: own.id,
    RUNNER_API_TOKEN: own.token,
    RUNNER_SERVICE: "process",
    RUNNER_UPDATE_KIND: "image",
    RUNNER_IMAGE_FILE: imageFile,
    RUNNER_MANAGED_ENV: bed.path("managed.env"),
    RUNNER_UPDATE_SETTLE: "300ms",
    RUNNER_UPDATE_DEADLINE: "60s",
  };
  let living: { readonly pid: number; readonly exited: Promise<number> } | null = null;
  let keeping = false;
  const mng = (extra: Record<string, string> = {}) => {
    const fd = openSync(logFile, "a");
    const argv = [program, "run", "--mode", "mng", "--state-dir", mngDir];
    const env = { ...settings, ...extra };
    const child = Bun.spawn(argv, { cwd: bed.root, env, stdin: "ignore", stdout: fd, stderr: fd });
    closeSync(fd);
    living = { pid: child.pid, exited: child.exited };
    return living;
  };
  const presence = containedPresence(stateDir);
  const stopMng = async () => {
    keeping = false;
    try {
      if (living) process.kill(living.pid, "SIGKILL");
    } catch {
      // ended by itself
    }
    await living?.exited;
  };
  return {
    bed,
    control,
    podman,
    runnerId: managed.id,
    repository,
    get fault() {
      return door.fault;
    },
    set fault(next: Fault) {
      door.fault = next;
    },
    stateDir,
    imageFile,
    digest: (version) => digests.get(version) ?? "",
    publishMore(from, version) {
      const digest = publishMore(images, from, version);
      digests.set(version, digest);
      return digest;
    },
    mng,
    keep(extra) {
      keeping = true;
      const again = async () => {
        while (keeping) {
          await mng(extra).exited;
          if (keeping) await Bun.sleep(100);
        }
      };
      void again();
    },
    stopMng,
    async forget() {
      await stopMng();
      rmSync(openUpdateJournal(mngDir).file, { force: true });
    },
    async want(version, place) {
      const wishes = { container_image_tag: version, ...(place ? { container_image_url: place } : {}) };
      const answer = await fetch(`${control.url}/api/v1/runners/${own.id}/settings`, {
        method: "PATCH",
        headers: { authorization: `Bearer ${control.admin().RUNNER_ADMIN_KEY}`, "content-type": "application/json" },
        body: JSON.stringify({ settings: wishes }),
      });
      if (!answer.ok) throw new Error(`settings: ${answer.status} ${await answer.text()}`);
    },
    job(type) {
      const file = bed.path(`${type}.yaml`);
      writeFileSync(file, `type: ${type}\nname: ${type}\n`);
      return control.submit(file, own.id);
    },
    async cli(env, ...args) {
      const child = Bun.spawn([program, "mng", ...args, "--state-dir", mngDir], {
        cwd: bed.root,
        env: { ...settings, ...env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      const [stdout, stderr] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      return { code: await child.exited, stdout, stderr };
    },
    log: () => readFileSync(logFile, "utf8"),
    use: () => openImageFile(imageFile).read(),
    journal: () => openUpdateJournal(mngDir).read(),
    connected() {
      const found = presence();
      return found?.ready && !found.draining ? found.version : null;
    },
    runnerPid: () => presence()?.pid ?? null,
    mngPid: () => presenceOf(mngDir)?.pid ?? null,
    async end() {
      await stopMng();
      for (const end of ends) await end();
    },
  };
}

/**
 * Makes the images and pushes all but 1.0.0, which lies only here, under `repository`; version → digest. Pushes go past
 * the door, which answers in this very process. 3.0.0-hangs says its version and does no more, 4.0.0 says that it is
 * another one, 5.0.0 is no runner, 6.0.0 is for another platform.
 */
function publish(images: Images, repository: string, releases: Releases): Map<string, string> {
  const { podman, folder } = images;
  const into = (from: string, to: string) => {
    mkdirSync(dirname(join(folder, to)), { recursive: true });
    copyFileSync(from, join(folder, to));
  };
  into(PID1, "base/usr/local/lib/runner/pid1");
  const libraries = Bun.spawnSync(["ldd", releases.program("1.0.0")]).stdout.toString();
  for (const [, path = ""] of libraries.matchAll(/(?:=> )?(\/\S+) \(0x/g)) into(path, join("base", path));
  build(images, "localhost/base:1", [
    "FROM localhost/bb:1",
    "COPY base /",
    "ENV PATH=/usr/local/bin:/bin HOME=/var/lib/runner XDG_STATE_HOME=/var/lib",
    `USER ${USER}`,
    "VOLUME /var/lib/runner /tmp",
    'ENTRYPOINT ["/usr/local/lib/runner/pid1"]',
  ]);
  const image = (name: string, write: (path: string) => void): string => {
    const path = join(folder, "program");
    write(path);
    build(images, `localhost/made:${name}`, [
      "FROM localhost/base:1",
      "COPY --chmod=755 program /usr/local/bin/runner",
    ]);
    rmSync(path);
    return `localhost/made:${name}`;
  };
  podman.run(
    "tag",
    image("1.0.0", (path) => linkSync(releases.program("1.0.0"), path)),
    `${repository}:1.0.0`,
  );
  const digests = new Map<string, string>();
  const published = (name: string, from: string) => {
    digests.set(name, push(images, name, from));
    podman.run("rmi", from);
  };
  published(
    "2.0.0",
    image("2.0.0", (path) => linkSync(releases.program("2.0.0"), path)),
  );
  const scripts = {
    "3.0.0-hangs": '[ "$1" = version ] && { echo 3.0.0; exit 0; }\nexec sleep 3600',
    "4.0.0": "echo 1.0.0",
    "5.0.0": "echo a shop",
  };
  for (const [name, deed] of Object.entries(scripts)) {
    published(
      name,
      image(name, (path) => writeFileSync(path, `#!/bin/sh\n${deed}\n`)),
    );
  }
  writeFileSync(join(folder, "more"), "more\n");
  const platform = `--platform=linux/${process.arch === "arm64" ? "amd64" : "arm64"}`;
  build(images, "localhost/made:6.0.0", ["FROM scratch", "COPY more /more"], [platform]);
  published("6.0.0", "localhost/made:6.0.0");
  return digests;
}

interface Images {
  readonly podman: Engine;
  /** What builds read. */
  readonly folder: string;
  /** The registry itself. */
  readonly place: string;
}

function build({ podman, folder }: Images, name: string, lines: readonly string[], flags: readonly string[] = []) {
  const file = `${folder}.build`;
  writeFileSync(file, `${lines.join("\n")}\n`);
  podman.run("build", "-q", "--layers=false", ...flags, "-f", file, "-t", name, folder);
}

/** The same with one more file, under this tag. */
function publishMore(images: Images, from: string, version: string): string {
  pull(images, from);
  writeFileSync(join(images.folder, "more"), crypto.randomUUID());
  build(images, "localhost/more:1", [`FROM ${images.place}:${from}`, "COPY more /more"]);
  const digest = push(images, version, "localhost/more:1");
  images.podman.run("rmi", "localhost/more:1", `${images.place}:${from}`);
  return digest;
}

/** mng may just be removing an image with the same layers; podman then fails with "layer not known", once. */
function pull({ podman, place }: Images, version: string): void {
  const argv = ["pull", "-q", "--tls-verify=false", `${place}:${version}`];
  try {
    podman.run(...argv);
  } catch {
    podman.run(...argv);
  }
}

function push({ podman, folder, place }: Images, version: string, from: string): string {
  const said = `${folder}.digest`;
  const how = ["--tls-verify=false", "--compression-format=zstd", "-q", `--digestfile=${said}`];
  podman.run("push", ...how, from, `docker://${place}:${version}`);
  return readFileSync(said, "utf8").trim();
}

/** In front of the registry: nothing, or a fault of every answer with an image's manifest in it. */
function startDoor(registry: Registry) {
  const door = { fault: "none" as Fault, port: 0, end: () => server.stop(true) };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      if (door.fault === "away") return new Response("away", { status: 503 });
      const { pathname, search } = new URL(request.url);
      const body = request.body === null ? null : await request.arrayBuffer();
      const answer = await fetch(`http://${registry.host}${pathname}${search}`, {
        method: request.method,
        headers: request.headers,
        body,
        redirect: "manual",
        decompress: false,
      });
      const headers = new Headers(answer.headers);
      if (door.fault !== "tampered" || !pathname.includes("/manifests/sha256:") || request.method !== "GET")
        return new Response(answer.body, { status: answer.status, headers });
      headers.delete("content-length");
      return new Response(`${await answer.text()} `, { status: answer.status, headers });
    },
  });
  door.port = server.port ?? 0;
  return door;
}
