import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A control group made for one execution. */
export interface Group {
  /** A process that writes its pid here belongs to the group, with all its children. */
  readonly procs: string;
  /** Processes that the kernel ended because the group was out of memory. */
  oomKills(): number;
  /** Removes the group. false: it still has processes. */
  remove(): boolean;
}

export type Controller = "cpu" | "memory" | "pids";

/** Where the kernel tells about control groups; for tests of other machines. */
export interface GroupFiles {
  /** `/proc/self/cgroup` and `/proc/self/mounts`. */
  readonly cgroup: string;
  readonly mounts: string;
}

/** The files of this process. Throws what the file system throws (no Linux). */
export function groupFiles(): GroupFiles {
  return { cgroup: readFileSync("/proc/self/cgroup", "utf8"), mounts: readFileSync("/proc/self/mounts", "utf8") };
}

/** Period of the CPU limit, microseconds. */
const PERIOD_US = 100_000;

/**
 * Makes a group named `name` below our own that limits one controller. Throws what the file system throws: no such
 * controller, no permission, a read-only mount.
 */
export function makeGroup(files: GroupFiles, controller: Controller, name: string, limit: number): Group {
  const v1 = mountOf(files.mounts, "cgroup", controller);
  return v1 === null ? makeV2(files, controller, name, limit) : makeV1(files, v1, controller, name, limit);
}

function makeV1(files: GroupFiles, mount: string, controller: Controller, name: string, limit: number): Group {
  const folder = join(placeIn(files, mount, controller), name);
  mkdirSync(folder, { recursive: true });
  if (controller === "cpu") {
    write(folder, "cpu.cfs_period_us", PERIOD_US);
    write(folder, "cpu.cfs_quota_us", Math.round(limit * PERIOD_US));
  } else if (controller === "pids") {
    write(folder, "pids.max", limit);
  } else {
    write(folder, "memory.limit_in_bytes", limit);
    // Without it the work swaps instead of ending. Absent where the kernel does not count swap.
    attempt(() => write(folder, "memory.memsw.limit_in_bytes", limit));
  }
  return groupAt(folder, "memory.oom_control");
}

function makeV2(files: GroupFiles, controller: Controller, name: string, limit: number): Group {
  const mount = mountOf(files.mounts, "cgroup2", null);
  if (mount === null) throw new Error(`no control group of this machine limits ${controller}`);
  const own = placeIn(files, mount, "");
  // A group with processes has no groups that limit: ours may have its processes in a group beside.
  let last: unknown = null;
  for (const parent of own === mount ? [own] : [own, join(own, "..")]) {
    try {
      if (!words(join(parent, "cgroup.subtree_control")).includes(controller)) {
        writeFileSync(join(parent, "cgroup.subtree_control"), `+${controller}`);
      }
      const folder = join(parent, name);
      mkdirSync(folder, { recursive: true });
      if (controller === "cpu") write(folder, "cpu.max", `${Math.round(limit * PERIOD_US)} ${PERIOD_US}`);
      else if (controller === "pids") write(folder, "pids.max", limit);
      else {
        write(folder, "memory.max", limit);
        attempt(() => write(folder, "memory.swap.max", 0));
      }
      return groupAt(folder, "memory.events");
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

function groupAt(folder: string, events: string): Group {
  return {
    procs: join(folder, "cgroup.procs"),
    oomKills: () => {
      const file = join(folder, events);
      const found = existsSync(file) ? /^oom_kill (\d+)$/m.exec(readFileSync(file, "utf8"))?.[1] : undefined;
      return Number(found ?? 0);
    },
    remove: () => attempt(() => rmdirSync(folder)) || !existsSync(folder),
  };
}

/** Mount point of a hierarchy; null: it is not mounted. */
function mountOf(mounts: string, type: string, controller: Controller | null): string | null {
  for (const line of mounts.split("\n")) {
    const [, place = "", kind = "", options = ""] = line.split(" ");
    if (kind === type && (controller === null || options.split(",").includes(controller))) return place;
  }
  return null;
}

/** Our own group: in a container the path of the host may not exist below the mount, which then is our group. */
function placeIn({ cgroup }: GroupFiles, mount: string, controller: string): string {
  const mine = cgroup.split("\n").map((line) => line.split(":"));
  const path = mine
    .find(([, names = ""]) => names.split(",").includes(controller))
    ?.slice(2)
    .join(":");
  const place = path === undefined ? mount : join(mount, path);
  return existsSync(place) ? place : mount;
}

const write = (folder: string, file: string, value: string | number) =>
  writeFileSync(join(folder, file), String(value));
const words = (file: string) => readFileSync(file, "utf8").split(/\s+/);

/** What cannot be set or removed is no reason to fail the work. */
function attempt(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}
