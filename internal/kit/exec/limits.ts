import { existsSync, readFileSync } from "node:fs";
import { reasonOf } from "../../protocol/errors.ts";
import { type Controller, type Group, type GroupFiles, groupFiles, makeGroup } from "./cgroup.ts";
import { resolveProgram } from "./resolve-program.ts";

/** What a job may use: processors, bytes, and processes with their threads; null: no limit. */
export interface Limits {
  readonly cpu: number | null;
  readonly memoryBytes: number | null;
  readonly pids: number | null;
}

/** Keeps the tools of one execution within its limits, as far as this machine lets it. */
export interface Limiter {
  /** The command that runs `argv` inside the limits. Throws RunnerError for a missing program. */
  wrap(argv: readonly [string, ...string[]], path: string | undefined, cwd: string): readonly [string, ...string[]];
  /** The kernel ended a process because the memory of the limit was used up. */
  outOfMemory(): boolean;
  /** After the last process has ended: leaves nothing behind. */
  release(): Promise<void>;
}

export interface LimiterDeps {
  readonly limits: Limits;
  /** Unique on this machine; the same after a restart of the runner. */
  readonly name: string;
  /** The execution began before a restart: its tools are in their groups, and what holds was told. */
  readonly resumed?: boolean;
  /** Told once what holds, and what does not. */
  readonly note: (text: string, level: "info" | "warn") => void;
  /** For tests of other machines. */
  readonly files?: () => GroupFiles;
  readonly make?: typeof makeGroup;
  readonly find?: (program: string) => string | null;
}

const REMOVE_TRIES = 10;
const REMOVE_WAIT_MS = 50;

/** Enters the groups whose files are named, then becomes the tool: its children belong to them from the start. */
const ENTER = 'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ > "$1" || exit 125; shift; n=$((n-1)); done; exec "$@"';

/** A limiter for these limits; nothing is made before the first tool. */
export function createLimiter(deps: LimiterDeps): Limiter {
  let made = deps.resumed ? prepare({ ...deps, note: () => {} }) : null;
  const ready = () => {
    made ??= prepare(deps);
    return made;
  };
  return {
    wrap: (argv, path, cwd) => {
      const { groups, prefix } = ready();
      const [name, ...args] = argv;
      const tool = [...prefix, resolveProgram(name, path, cwd), ...args];
      if (groups.length === 0) return [tool[0] ?? name, ...tool.slice(1)];
      return ["/bin/sh", "-c", ENTER, "sh", String(groups.length), ...groups.map(({ procs }) => procs), ...tool];
    },
    outOfMemory: () => (made?.groups ?? []).some((group) => group.oomKills() > 0),
    release: async () => {
      for (const group of made?.groups ?? []) {
        // A process that was killed just now may still be leaving.
        for (let tries = 0; !group.remove() && tries < REMOVE_TRIES; tries++) await Bun.sleep(REMOVE_WAIT_MS);
      }
    },
  };
}

function prepare(deps: LimiterDeps): { readonly groups: Group[]; readonly prefix: string[] } {
  const { limits, note } = deps;
  const groups: Group[] = [];
  const prefix: string[] = [];
  const limit = (controller: Controller, value: number | null, text: string, instead: () => Substitute) => {
    if (value === null) return;
    try {
      groups.push((deps.make ?? makeGroup)((deps.files ?? groupFiles)(), controller, deps.name, value));
      note(`resources: ${text}, enforced by a control group`, "info");
    } catch (error) {
      const { command, effect } = instead();
      prefix.push(...command);
      note(`resources: ${text}: ${effect} (no control group: ${reasonOf(error)})`, "warn");
    }
  };
  const { cpu, memoryBytes, pids } = limits;
  limit("memory", memoryBytes, `memory ${sizeText(memoryBytes ?? 0)}`, () => perProcess(memoryBytes ?? 0, deps));
  limit("cpu", cpu, `cpu ${cpu}`, () => wholeProcessors(cpu ?? 1, deps));
  // The user's own limit would count the runner and every other job, too.
  limit("pids", pids, `pids ${pids}`, () => ({ command: [], effect: NOT_ENFORCED }));
  return { groups, prefix };
}

/** What is done where no control group can be had. */
interface Substitute {
  readonly command: readonly string[];
  readonly effect: string;
}

const findProgram = (name: string) => Bun.which(name);
const NOT_ENFORCED = "NOT enforced on this machine";

function perProcess(bytes: number, { find = findProgram }: LimiterDeps): Substitute {
  const prlimit = find("prlimit");
  if (prlimit === null) return { command: [], effect: NOT_ENFORCED };
  return { command: [prlimit, `--data=${bytes}`, "--"], effect: "holds for each process alone, not for their sum" };
}

function wholeProcessors(cpu: number, { find = findProgram, name }: LimiterDeps): Substitute {
  const taskset = find("taskset");
  const allowed = allowedProcessors();
  const wanted = Math.ceil(cpu);
  if (taskset === null || allowed.length === 0) return { command: [], effect: NOT_ENFORCED };
  if (wanted >= allowed.length) {
    const effect = wanted === cpu && wanted === allowed.length ? "all that this machine has" : NOT_ENFORCED;
    return { command: [], effect };
  }
  // Different executions begin at different processors, so that they do not share one while others idle.
  const first = Bun.hash.crc32(name) % allowed.length;
  const chosen = Array.from({ length: wanted }, (_, i) => allowed[(first + i) % allowed.length]);
  const effect = `the work is kept on ${wanted} of ${allowed.length} processors`;
  return { command: [taskset, "-c", chosen.join(",")], effect };
}

/** Processors that this process may use. */
function allowedProcessors(): number[] {
  if (!existsSync("/proc/self/status")) return [];
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
  return list.split(",").flatMap((range) => {
    const [from = Number.NaN, to = from] = range.split("-").map(Number);
    return Number.isNaN(from) ? [] : Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

/** `512 MiB`; bytes below one. */
export function sizeText(bytes: number): string {
  const [unit, size] = bytes >= 2 ** 30 ? (["GiB", 2 ** 30] as const) : (["MiB", 2 ** 20] as const);
  return bytes < 2 ** 20 ? `${bytes} B` : `${Number((bytes / size).toFixed(2))} ${unit}`;
}
