import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  dropInDir,
  placeOf,
  type ServicePlace,
  type ServiceWish,
  SYSTEMD_DIR,
  serviceDescription,
  serviceFiles,
} from "../../../internal/kit/service/index.ts";
import { duration } from "../../../internal/protocol/job-file.ts";
import { ownDropIns } from "../service/files.ts";
import { IMAGE_PLACE, runnerIsImage } from "../service/image-place.ts";
import { showUnit, spanSeconds, systemdRuns, systemdVersion } from "../service/systemctl.ts";
import { HELD } from "../supervisor.ts";
import { type Finding, findings } from "./finding.ts";
import { checkImageUnit } from "./image-service.ts";

/** The runner as a service of this machine: what `service install` made, and what became of it. */
export async function checkService(instance: string | null): Promise<Finding[]> {
  const wish: ServiceWish = { service: "runner", mode: null, instance, prefix: serviceDescription().prefix };
  const place = placeOf(wish);
  const say = findings("service");
  if (!systemdRuns()) return [];
  if (instance === null && runnerIsImage("/")) {
    const settings = checkSecretFile("settings file", place.envFile, `no ${IMAGE_PLACE.unit} starts without it`);
    return [...(await checkImageUnit(place)), ...settings, ...checkToken(place)];
  }
  if (!existsSync(join(SYSTEMD_DIR, place.unitFile))) {
    return [say.ok(`no ${place.unit} on this machine; \`runner service install\` makes it one`)];
  }
  return [
    ...(await checkUnit(wish, place)),
    ...checkSecretFile("settings file", place.envFile, `no ${place.unit} starts without it`),
    ...checkToken(place),
    checkGroups(place),
  ];
}

const NAMES = [
  "ActiveState",
  "SubState",
  "UnitFileState",
  "NeedDaemonReload",
  "MainPID",
  "TimeoutStopUSec",
  "FragmentPath",
  "StatusText",
];

async function checkUnit(wish: ServiceWish, place: ServicePlace): Promise<Finding[]> {
  const say = findings("service");
  const { unit } = place;
  const fact = await showUnit(unit, NAMES);
  const found: Finding[] = [];
  const again = `\`runner service install${wish.instance === null ? "" : ` --instance ${wish.instance}`} --no-start\``;
  const stale = await outOfStep(wish);
  if (stale.length > 0)
    found.push(say.warning(`${stale.join(", ")}: not as this version of the program writes it`, again));
  if (stale.length === 0 && fact("NeedDaemonReload") === "yes") {
    found.push(say.warning(`${unit}: systemd goes by what its files said before`, "`systemctl daemon-reload`"));
  }
  if (fact("UnitFileState") !== "enabled") {
    found.push(say.warning(`${unit} does not start with the machine`, `\`systemctl enable ${unit}\``));
  }
  const state = fact("ActiveState");
  if (state === "failed" || state === "inactive") {
    const why = `\`journalctl -u ${unit} -n 50\` says why it ended`;
    found.push(say.failed(`${unit} does not run (${state})`, `\`systemctl start ${unit}\`; ${why}.`));
  }
  const words = fact("StatusText");
  if (words.startsWith(HELD)) {
    found.push(
      say.failed(`${unit} is ${words}`, `Stop that one, or give this one an id: \`runner runners create NAME\`.`),
    );
  }
  const user = userOf(Number(fact("MainPID")));
  if (user !== null && user !== place.row.user) {
    const text = `${unit} runs as ${user} and not as ${place.row.user}: so do its jobs`;
    const remedy = `Take User= out of its drop-ins; \`systemctl revert ${unit} && systemctl restart ${unit}\` removes them all.`;
    found.push(say.failed(text, remedy));
  }
  found.push(...checkStop(wish, place, spanSeconds(fact("TimeoutStopUSec"))));
  if (found.length > 0) return found;
  const dropIns = ownDropIns(dropInDir(wish)).filter((name) => name !== "back-off");
  const relaxed = dropIns.length === 0 ? "nothing relaxed" : `relaxed for ${dropIns.join(", ")}`;
  return [say.ok(`${unit} is ${state} (${fact("SubState")}), as user ${place.row.user}, ${relaxed}`)];
}

/** A drain that may take longer than systemd waits is cut off. */
function checkStop(wish: ServiceWish, { unit, envFile }: ServicePlace, waits: number): Finding[] {
  const { grace } = serviceDescription().drain;
  const text = existsSync(envFile) ? readFileSync(envFile, "utf8") : "";
  const given = /^RUNNER_DRAIN_TIMEOUT=(\S+)$/m.exec(text)?.[1];
  const wanted = given === undefined ? null : duration.safeParse(given);
  if (!wanted?.success || wanted.data / 1_000 + grace <= waits) return [];
  const seconds = Math.ceil(wanted.data / 1_000) + grace;
  const file = join(dropInDir(wish), "stop.conf");
  const write = `mkdir -p ${dropInDir(wish)} && printf '[Service]\\nTimeoutStopSec=${seconds}\\n' > ${file}`;
  return [
    findings("service").warning(
      `${unit}: a drain may take ${given}, but systemd waits ${waits} s: jobs would be cut off from their runner`,
      `\`${write} && systemctl daemon-reload\``,
    ),
  ];
}

/** Files of ours that differ from what would be written now: of another version, or changed by hand. */
async function outOfStep(wish: ServiceWish): Promise<string[]> {
  const known = Object.keys(serviceDescription().relaxations);
  const dropIns = ownDropIns(dropInDir(wish)).filter((name) => known.includes(name));
  const there = readFileSync(join(SYSTEMD_DIR, placeOf(wish).unitFile), "utf8");
  const [, prefix = wish.prefix, mode] = /^ExecStart=(.+)\/bin\/runner run --mode (\w+)/m.exec(there) ?? [];
  const asWritten: ServiceWish = { ...wish, prefix, mode: mode === "all" || mode === "org" ? mode : null };
  return serviceFiles("systemd", asWritten, dropIns, await systemdVersion())
    .filter(({ path, text }) => !existsSync(path) || readFileSync(path, "utf8") !== text)
    .map(({ path }) => path);
}

/** A file with a secret in it: there, and for its owner only, who is root or the runner's user. */
function checkSecretFile(check: string, path: string, without: string): Finding[] {
  const say = findings(check);
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found)
    return [
      say.failed(`there is no ${path}: ${without}`, `\`runner service install --no-start\` makes it; fill it in.`),
    ];
  const others = found.mode & 0o077;
  if (others !== 0) {
    const mode = (found.mode & 0o777).toString(8).padStart(4, "0");
    return [
      say.failed(`${path} has mode ${mode}: others on this machine can reach what is in it`, `\`chmod 600 ${path}\``),
    ];
  }
  const owner = nameOf(found.uid);
  if (found.uid !== 0 && owner !== serviceDescription().user) {
    return [say.failed(`${path} belongs to ${owner}, who can change it`, `\`chown root: ${path}\``)];
  }
  return [say.ok(`${path}: there, for ${owner} only`)];
}

function checkToken({ envFile, tokenFile }: ServicePlace): Finding[] {
  const inSettings = existsSync(envFile) && /^RUNNER_(API_TOKEN|TOKEN_FILE)=./m.test(readFileSync(envFile, "utf8"));
  if (!existsSync(tokenFile) && inSettings) return [];
  if (existsSync(tokenFile)) return checkSecretFile("token file", tokenFile, "");
  const remedy = `Write the token into it, one line, mode 0600: \`install -m 600 /dev/stdin ${tokenFile}\`.`;
  return [findings("token file").failed(`there is no ${tokenFile}, and no token in ${envFile}`, remedy)];
}

/** Groups whose members are root by another name. */
const MIGHTY = ["root", "wheel", "sudo", "admin", "docker", "lxd", "disk", "shadow"];

function checkGroups({ row }: ServicePlace): Finding {
  const say = findings("account");
  const lines = existsSync("/etc/group") ? readFileSync("/etc/group", "utf8").split("\n") : [];
  const groups = lines.flatMap((line) => {
    const [name = "", , , members = ""] = line.split(":");
    return members.split(",").includes(row.user) ? [name] : [];
  });
  const mighty = groups.filter((name) => MIGHTY.includes(name));
  if (mighty.length === 0) return say.ok(`${row.user} is in no group that makes it root`);
  const relaxation = mighty.includes("docker") ? "; for docker there is `runner service install --with docker`" : "";
  return say.failed(
    `${row.user} is in ${mighty.join(", ")}: whatever the unit says, its jobs can become root`,
    `\`gpasswd -d ${row.user} ${mighty[0]}\`${relaxation}.`,
  );
}

function userOf(pid: number): string | null {
  const found = pid > 0 ? statSync(`/proc/${pid}`, { throwIfNoEntry: false }) : undefined;
  return found ? nameOf(found.uid) : null;
}

function nameOf(uid: number): string {
  const passwd = existsSync("/etc/passwd") ? readFileSync("/etc/passwd", "utf8") : "";
  return new RegExp(`^([^:]+):[^:]*:${uid}:`, "m").exec(passwd)?.[1] ?? String(uid);
}
