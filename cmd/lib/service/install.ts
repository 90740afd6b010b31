import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  dropInDir,
  placeOf,
  type ServiceFile,
  type ServicePlace,
  type ServiceWish,
  SYSTEMD_DIR,
  serviceDescription,
  serviceFiles,
  sysusersFile,
} from "../../../internal/kit/service/index.ts";
import { RunnerError, reasonOf } from "../../../internal/protocol/errors.ts";
import { ownDropIns, removeFiles, textOf, writeFiles } from "./files.ts";
import { IMAGE_PLACE, imageIsEnabled, installedEngine } from "./image-place.ts";
import { runProgram, showUnit, systemctl, systemdRuns, systemdVersion } from "./systemctl.ts";

export interface Installed {
  readonly unit: string;
  /** Paths that were written or removed. */
  readonly changed: readonly string[];
  readonly enabled: boolean;
  /** `started`; `running` when it was before; otherwise why not. */
  readonly state: "started" | "running" | "not configured" | "not started";
  /** It runs with what was before. */
  readonly restartNeeded: boolean;
}

export interface InstallOptions {
  readonly wish: ServiceWish;
  /** null: those that are there stay. */
  readonly relaxations: readonly string[] | null;
  /** An image's root; null: this machine. */
  readonly root: string | null;
  readonly start: boolean;
}

type ConfigPlace = Pick<ServicePlace, "envFile" | "tokenFile" | "row">;

/** Idempotent. Throws RunnerError before anything is written when something is missing that the service needs. */
export async function installService(options: InstallOptions): Promise<Installed> {
  const { wish, root, start } = options;
  const place = placeOf(wish);
  const base = root ?? "/";
  if (root === null) checkMachine();
  if (wish.service === "runner" && wish.instance === null && start) checkAlone(base);
  checkProgram(base, place);
  const version = root === null ? await systemdVersion() : 0;
  const dropIns = join(base, dropInDir(wish));
  const { relaxations: known } = serviceDescription();
  const there = ownDropIns(dropIns);
  const wanted = options.relaxations ?? there.filter((name) => Object.hasOwn(known, name));
  const files = [...serviceFiles("systemd", wish, wanted, version), sysusersFile()];
  checkGroups(base, wanted);
  const before = root === null ? await activity(place.unit) : "inactive";
  const changed = written(base, files, wish, there);
  configTemplate(base, place);
  if (root !== null) return { ...link(root, place, start), changed, restartNeeded: false };
  await accountFor(place);
  if (changed.length > 0) await systemctl("daemon-reload");
  const running = before === "active" || before === "activating" || before === "reloading";
  const restartNeeded = running && changed.some((path) => path.startsWith(SYSTEMD_DIR));
  const done = { unit: place.unit, changed, restartNeeded };
  if (!start) return { ...done, enabled: false, state: running ? "running" : "not started" };
  await systemctl("enable", place.unit);
  if (running) return { ...done, enabled: true, state: "running" };
  if (!isConfigured(base, place)) return { ...done, enabled: true, state: "not configured" };
  await systemctl("start", "--no-block", place.unit);
  return { ...done, enabled: true, state: "started" };
}

/** Throws RunnerError environment where no service can be made. */
export function checkMachine(): void {
  if (!systemdRuns()) {
    throw new RunnerError("environment", "systemd does not run on this machine", {
      remedy:
        "`runner service print --format rcd` and `--format launchd` give the files of other service managers; `runner run` needs none. For an image there is --root.",
    });
  }
  if (process.getuid?.() !== 0) {
    throw new RunnerError("environment", "only root installs a service", { remedy: "Run it with sudo." });
  }
}

/** One identity, one runner: started, it would end the other. */
function checkAlone(base: string): void {
  if (!imageIsEnabled(base)) return;
  throw new RunnerError("environment", `the runner of this machine is an image already (${IMAGE_PLACE.unit})`, {
    remedy: `\`runner service uninstall --runtime ${installedEngine(base)}\` takes that one away; --no-start writes the files only.`,
  });
}

function checkProgram(base: string, { program }: ServicePlace): void {
  // A link that leads to an absolute path leads elsewhere in an image; install.sh makes relative ones.
  if (existsSync(join(base, program))) return;
  throw new RunnerError("environment", `there is no ${join(base, program)} to start`, {
    remedy: "Run install.sh first, or say where the program lies with --prefix.",
  });
}

/** systemd does not start a unit with a group that there is not. */
function checkGroups(base: string, relaxations: readonly string[]): void {
  const { relaxations: known } = serviceDescription();
  const groups = textOf(join(base, "/etc/group")) ?? "";
  for (const name of relaxations) {
    for (const line of known[name]?.systemd ?? []) {
      const group = /^SupplementaryGroups=(\S+)$/.exec(line)?.[1];
      if (group === undefined || new RegExp(`^${group}:`, "m").test(groups)) continue;
      throw new RunnerError("environment", `--with ${name}: there is no group ${group} on this machine`, {
        remedy: `Install ${name} first, or leave it out.`,
      });
    }
  }
}

function written(base: string, files: readonly ServiceFile[], wish: ServiceWish, there: readonly string[]): string[] {
  try {
    const keep = files.map((file) => basename(file.path));
    const stale = there.map((name) => `${name}.conf`).filter((name) => !keep.includes(name));
    const removed = stale.map((name) => join(dropInDir(wish), name));
    return [...removeFiles(base, removed), ...writeFiles(base, files)];
  } catch (cause) {
    throw new RunnerError("environment", `the service's files cannot be written: ${reasonOf(cause)}`, {
      remedy: "Is /etc writable, and is there space?",
      cause,
    });
  }
}

/** Made once, for a person to fill in; never written over. */
export function configTemplate(base: string, { envFile, tokenFile, row }: ConfigPlace): void {
  if (row.unit === serviceDescription().services.mng.unit) return;
  const path = join(base, envFile);
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  const text = [
    "# Settings of the runner as a service, NAME=value; `runner run --help` lists the names.",
    `# The token lies in ${tokenFile} (mode 0600, one line).`,
    "#RUNNER_API_URL=https://control.example.com",
    "#RUNNER_ID=run…",
    "",
  ];
  writeFileSync(path, text.join("\n"), { mode: 0o600, flag: "wx" });
}

/** Its settings say where to connect. */
export function isConfigured(base: string, { envFile, row }: ConfigPlace): boolean {
  const { config, services } = serviceDescription();
  const file = row.unit === services.mng.unit ? join(config, `${services.runner.unit}.env`) : envFile;
  return /^\s*(RUNNER_API_URL|RUNNER_CONFIG)=./m.test(textOf(join(base, file)) ?? "");
}

/** systemd's own tool knows every distribution; older images have useradd only. */
async function accountFor({ row }: ServicePlace): Promise<void> {
  const { user, state } = serviceDescription();
  if (row.user !== user || (await exists(user))) return;
  await runProgram("systemd-sysusers", sysusersFile().path);
  if (await exists(user)) return;
  const home = ["--home-dir", state, "--no-create-home", "--shell", "/usr/sbin/nologin"];
  const added = await runProgram("useradd", "--system", "--user-group", ...home, user);
  if (added.code === 0) return;
  throw new RunnerError("environment", `the user ${user} cannot be made: ${added.stderr.trim()}`, {
    remedy: `Make a system user and a group named ${user}, without a login.`,
  });
}

const exists = async (user: string) => (await runProgram("id", user)).code === 0;

const activity = async (unit: string) => (await showUnit(unit, ["ActiveState"]))("ActiveState");

/** What `systemctl enable` does, in the files of an image. */
export function link(root: string, { unit, unitFile }: Pick<ServicePlace, "unit" | "unitFile">, start: boolean) {
  const path = join(root, SYSTEMD_DIR, "multi-user.target.wants", unit);
  if (start && !existsSync(dirname(path))) mkdirSync(dirname(path), { recursive: true });
  try {
    if (start) symlinkSync(join(SYSTEMD_DIR, unitFile), path);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause;
  }
  return { unit, enabled: start, state: "not started" as const };
}
