import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { arch, tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { detectPlatform } from "../../../internal/kit/release/index.ts";
import { eventDoc } from "../../../internal/protocol/operator.ts";
import { presenceOf } from "../../../internal/runner/supervisor/presence.ts";
import { openUpdateJournal, type UpdateDocument } from "../../../internal/runner/supervisor/update-journal.ts";
import { COMPILE, defines } from "../../../scripts/lib/build.ts";
import { type Control, startControl } from "../../faults/lib/control.ts";
import { type Bed, makeBed, until } from "../../faults/lib/processes.ts";
import { newSigner, writeRelease } from "../../lib/release-folder.ts";

const ROOT = join(import.meta.dir, "../../..");

/** Programs that say they are a version, and what is wrong with them. */
export const BAD = {
  "3.0.0-exits": "exit 9",
  "3.0.0-hangs": "exec sleep 3600",
} as const;
export const GOOD = ["1.0.0", "2.0.0"] as const;

/** Signed releases: two builds of this program, and the bad ones. Made once for a file of tests, which removes them. */
export interface Releases {
  /** `releases/`, `release.pub` and the programs lie in it. */
  readonly root: string;
  readonly folder: string;
  readonly publicKey: string;
  program(version: (typeof GOOD)[number]): string;
}

let made: Releases | null = null;

export function releasesOfTheRun(): Releases {
  made ??= makeReleases();
  return made;
}

/** 0.7 GB; `bun test` runs no exit handler. */
export function removeReleases(): void {
  if (made) rmSync(made.root, { recursive: true, force: true });
  made = null;
}

function makeReleases(): Releases {
  const root = mkdtempSync(join(tmpdir(), "runner-updates-"));
  process.on("exit", () => rmSync(root, { recursive: true, force: true }));
  const signer = newSigner();
  const platform = detectPlatform();
  const kind = {
    os: "linux",
    arch: arch() === "arm64" ? "arm64" : "x64",
    variant: platform.libc === "musl" ? "musl" : "",
  } as const;
  const program = (version: string) => join(root, `built-${version}`);
  const publish = (version: string, bytes: Uint8Array | string) => {
    const programs = [
      { ...kind, bytes },
      ...(kind.variant === "" ? [{ ...kind, variant: "baseline" as const, bytes }] : []),
    ];
    writeRelease(join(root, "releases", version), signer, { version, programs });
  };
  for (const version of GOOD) {
    const argv = [...COMPILE, ...defines({ RUNNER_BUILD_VERSION: version }), `--outfile=${program(version)}`];
    const built = Bun.spawnSync(argv, { cwd: ROOT, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    if (!built.success) throw new Error(`the build failed: ${built.stderr}`);
    publish(version, readFileSync(program(version)));
  }
  for (const [version, deed] of Object.entries(BAD)) {
    publish(version, `#!/bin/sh\n[ "$1" = version ] && { echo ${version}; exit 0; }\n${deed}\n`);
  }
  const publicKey = join(root, "release.pub");
  writeFileSync(publicKey, signer.publicText);
  return {
    root,
    folder: join(root, "releases"),
    publicKey,
    program,
  };
}

/** A machine without systemd: version 1.0.0 installed, mng and the runner that it looks after, a coordinator. */
export interface UpdateBed {
  readonly bed: Bed;
  readonly control: Control;
  readonly prefix: string;
  readonly runnerId: string;
  readonly mngId: string;
  /** Of mng and of `runner mng …`. */
  readonly settings: Readonly<Record<string, string>>;
  /** One life of mng; its exit code (137: killed). */
  mng(env?: Record<string, string>): { readonly pid: number; readonly exited: Promise<number> };
  /** As a service manager: started again whenever it ends. */
  keep(env?: Record<string, string>): void;
  /** The same for a runner of its own, which no mng looks after. */
  keepLone(): void;
  /** Everything mng and the runner wrote. */
  log(): string;
  current(): string;
  journal(): UpdateDocument;
  /** Version of the runner that is connected; null: none is. */
  connected(): string | null;
  runnerPid(): number | null;
  mngPid(): number | null;
  /** A job of this type for mng, or for the runner; its id. */
  job(type: string, runner?: string): Promise<string>;
  /** As if no update had ever been: bad versions too. */
  forget(): Promise<void>;
  /** The version in the settings of mng, or of the runner. */
  want(version: string, runner?: string): Promise<void>;
  /** `runner mng …` of the installed version. */
  cli(...args: string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
  /** Ends mng, not the runner. */
  stopMng(): Promise<void>;
  /** What `runner events` has of mng, or of the runner, under this name: the reasons. */
  told(what: string, runner?: string): Promise<string[]>;
  end(): Promise<void>;
}

export async function startUpdateBed(releases: Releases, env: Record<string, string> = {}): Promise<UpdateBed> {
  const bed = makeBed();
  const control = await startControl(bed);
  const prefix = bed.path("usr");
  const lib = join(prefix, "lib/runner");
  mkdirSync(join(lib, "versions/1.0.0"), { recursive: true });
  mkdirSync(join(prefix, "bin"));
  Bun.spawnSync(["cp", releases.program("1.0.0"), join(lib, "versions/1.0.0/runner")]);
  symlinkSync("versions/1.0.0", join(lib, "current"));
  symlinkSync("../lib/runner/current/runner", join(prefix, "bin/runner"));
  const program = join(prefix, "bin/runner");
  const [own, managed] = [await control.createRunner("mng"), await control.createRunner("vm")];
  writeFileSync(bed.path("managed.env"), `RUNNER_ID=${managed.id}\nRUNNER_API_TOKEN=${managed.token}\n`);
  const [stateDir, runnerState, logFile] = [bed.path("state/mng"), bed.path("state/install"), bed.path("mng.log")];
  const settings: Record<string, string> = {
    PATH: process.env.PATH ?? "/usr/bin:/bin",
    HOME: bed.root,
    TMPDIR: bed.root,
    CHECKPOINT_DISABLE: "1",
    RUNNER_API_URL: control.url,
    RUNNER_ID: own.id,
    RUNNER_API_TOKEN: own.token,
    RUNNER_SERVICE: "process",
    RUNNER_MANAGED_ENV: bed.path("managed.env"),
    RUNNER_RELEASE_URL: releases.folder,
    RUNNER_PUBLIC_KEY: releases.publicKey,
    RUNNER_UPDATE_SETTLE: "300ms",
    RUNNER_UPDATE_DEADLINE: "60s",
    ...env,
  };
  let living: { readonly pid: number; readonly exited: Promise<number> } | null = null;
  let keeping = false;
  const life = (mode: "mng" | "install", folder: string, extra: Record<string, string> = {}) => {
    const fd = openSync(logFile, "a");
    // As the unit does before each start (ExecStartPre), by the program of the version before.
    const guard = join(lib, "previous/runner");
    if (existsSync(guard)) {
      Bun.spawnSync([guard, "mng", "guard", "--state-dir", folder], { env: settings, stdio: ["ignore", fd, fd] });
    }
    const child = Bun.spawn([program, "run", "--mode", mode, "--state-dir", folder], {
      cwd: bed.root,
      env: { ...settings, ...extra },
      stdin: "ignore",
      stdout: fd,
      stderr: fd,
    });
    closeSync(fd);
    living = { pid: child.pid, exited: child.exited };
    return living;
  };
  const mng = (extra?: Record<string, string>) => life("mng", stateDir, extra);
  const kill = (pid: number | null) => {
    try {
      if (pid !== null) process.kill(pid, "SIGKILL");
    } catch {
      // ended by itself
    }
  };
  const runnerPid = () => presenceOf(runnerState)?.pid ?? null;
  const stopMng = async () => {
    keeping = false;
    kill(living?.pid ?? null);
    await living?.exited;
  };
  return {
    bed,
    control,
    prefix,
    runnerId: managed.id,
    mngId: own.id,
    settings,
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
    keepLone() {
      keeping = true;
      const again = async () => {
        while (keeping) {
          await life("install", runnerState, { RUNNER_ID: managed.id, RUNNER_API_TOKEN: managed.token }).exited;
          if (keeping) await Bun.sleep(100);
        }
      };
      void again();
    },
    log: () => readFileSync(logFile, "utf8"),
    current: () => readlinkSync(join(lib, "current")).replace("versions/", ""),
    journal: () => openUpdateJournal(stateDir).read(),
    connected() {
      const found = presenceOf(runnerState);
      return found?.ready && !found.draining ? found.version : null;
    },
    runnerPid,
    mngPid: () => presenceOf(stateDir)?.pid ?? null,
    job(type, runner = own.id) {
      const file = bed.path(`${type}.yaml`);
      writeFileSync(file, `type: ${type}\nname: ${type}\n`);
      return control.submit(file, runner);
    },
    async forget() {
      await stopMng();
      rmSync(openUpdateJournal(stateDir).file, { force: true });
    },
    async want(version, runner = own.id) {
      const answer = await fetch(`${control.url}/api/v1/runners/${runner}/settings`, {
        method: "PATCH",
        headers: { authorization: `Bearer ${control.admin().RUNNER_ADMIN_KEY}`, "content-type": "application/json" },
        body: JSON.stringify({ settings: { container_image_tag: version } }),
      });
      if (!answer.ok) throw new Error(`settings: ${answer.status} ${await answer.text()}`);
    },
    async cli(...args) {
      const child = Bun.spawn([program, "mng", ...args, "--state-dir", stateDir], {
        cwd: bed.root,
        env: settings,
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
      const [stdout, stderr] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      return { code: await child.exited, stdout, stderr };
    },
    stopMng,
    async told(what, runner = own.id) {
      const env = { ...settings, ...control.admin() };
      const child = Bun.spawn([program, "events", runner, "--json"], { env, stdout: "pipe" });
      const events = z.array(eventDoc).parse(JSON.parse(await new Response(child.stdout).text()));
      return events.filter((one) => one.what === what).map(({ why }) => why);
    },
    async end() {
      await stopMng();
      kill(runnerPid());
      await until("the runner is gone", () => runnerPid() === null);
      await bed.end();
    },
  };
}
