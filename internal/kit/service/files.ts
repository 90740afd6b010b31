import { join } from "node:path";
import { RunnerError } from "../../protocol/errors.ts";
import { suggest } from "../../protocol/suggest.ts";
import { serviceDescription } from "./description.ts";
import { IMAGE_UNIT, imageUnit } from "./image-unit.ts";
import { launchdLabel, launchdPlist } from "./launchd.ts";
import { placeOf, type ServiceWish } from "./place.ts";
import { rcScript } from "./rcd.ts";
import { BACK_OFF_SINCE, GENERATED, systemdBackOff, systemdDropIn, systemdUnit } from "./systemd.ts";

type ServiceFormat = "systemd" | "rcd" | "launchd";

export interface ServiceFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
}

export const SYSTEMD_DIR = "/etc/systemd/system";

/** Folder of a unit's drop-ins. */
export const dropInDir = (wish: ServiceWish): string => join(SYSTEMD_DIR, `${placeOf(wish).unit}.d`);

/** The files of a service where its manager looks for them. `relaxations` and the version are systemd's. */
export function serviceFiles(
  format: ServiceFormat,
  wish: ServiceWish,
  relaxations: readonly string[] = [],
  systemdVersion = 0,
): readonly ServiceFile[] {
  const { unitFile, row } = placeOf(wish);
  if (format === "rcd") {
    const name = [row.unit, ...(wish.instance === null ? [] : [wish.instance])]
      .join("_")
      .replaceAll(/[^a-z0-9_]/g, "_");
    return [{ path: `/etc/rc.d/${name}`, text: rcScript(wish), mode: 0o555 }];
  }
  if (format === "launchd") {
    return [{ path: `/Library/LaunchDaemons/${launchdLabel(wish)}.plist`, text: launchdPlist(wish), mode: 0o644 }];
  }
  const dropIn = (name: string, text: string) => ({ path: join(dropInDir(wish), `${name}.conf`), text, mode: 0o644 });
  return [
    { path: join(SYSTEMD_DIR, unitFile), text: systemdUnit(wish), mode: 0o644 },
    ...(systemdVersion >= BACK_OFF_SINCE ? [dropIn("back-off", systemdBackOff())] : []),
    ...relaxations.map((name) => dropIn(name, relaxationText(name))),
  ];
}

function relaxationText(name: string): string {
  const { relaxations } = serviceDescription();
  const found = relaxations[name];
  if (found) return systemdDropIn(found);
  const near = suggest(name, Object.keys(relaxations));
  throw new RunnerError("usage", `there is no relaxation ${JSON.stringify(name)}`, {
    remedy: near ? `Did you mean ${near}?` : `One of ${Object.keys(relaxations).join(", ")}.`,
  });
}

/** `u` line of sysusers.d(5): the account that the units name, without a login. */
export function sysusersFile(): ServiceFile {
  const { user, state } = serviceDescription();
  return {
    path: "/etc/sysusers.d/runner.conf",
    text: `${GENERATED}\nu ${user} - "Works jobs (runner)" ${state} -\n`,
    mode: 0o644,
  };
}

/** The unit of a runner that this engine runs as a container. */
export const imageUnitFile = (engine: "podman" | "docker"): ServiceFile => ({
  path: join(SYSTEMD_DIR, `${IMAGE_UNIT}.service`),
  text: imageUnit(engine),
  mode: 0o644,
});

/** Everything of bundle/service/, by its name there; the program lies in the prefix of service.yml. */
export function serviceBundle(): ReadonlyMap<string, string> {
  const { prefix, relaxations } = serviceDescription();
  const runner: ServiceWish = { service: "runner", mode: null, instance: null, prefix };
  const mng: ServiceWish = { ...runner, service: "mng" };
  const files = new Map<string, string>();
  const put = (folder: string, list: readonly ServiceFile[], base: string) => {
    for (const { path, text } of list) files.set(`${folder}${path.slice(base.length + 1)}`, text);
  };
  put("", serviceFiles("systemd", runner), SYSTEMD_DIR);
  put("", serviceFiles("systemd", { ...runner, instance: "NAME" }), SYSTEMD_DIR);
  put("", serviceFiles("systemd", mng), SYSTEMD_DIR);
  // Not in runner.service.d beside the unit: there they would be in force, all of them.
  const dropIns = serviceFiles("systemd", runner, Object.keys(relaxations), BACK_OFF_SINCE).slice(1);
  put("drop-ins/", dropIns, dropInDir(runner));
  for (const engine of ["podman", "docker"] as const) put(`${engine}/`, [imageUnitFile(engine)], SYSTEMD_DIR);
  put("sysusers.d/", [sysusersFile()], "/etc/sysusers.d");
  for (const wish of [runner, mng]) {
    put("rc.d/", serviceFiles("rcd", wish), "/etc/rc.d");
    put("launchd/", serviceFiles("launchd", wish), "/Library/LaunchDaemons");
  }
  return files;
}
