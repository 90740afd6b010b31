import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  dropInDir,
  placeOf,
  type ServiceWish,
  SYSTEMD_DIR,
  serviceDescription,
  sysusersFile,
} from "../../../internal/kit/service/index.ts";
import { isOurs, ownDropIns, removeFiles } from "./files.ts";
import { IMAGE_PLACE } from "./image-place.ts";
import { runProgram, systemctl, systemdRuns } from "./systemctl.ts";

export interface Uninstalled {
  readonly units: readonly string[];
  readonly removed: readonly string[];
}

/** Stops and removes the services of `wishes`; the files that nothing needs any more go too. Settings and state stay. */
export async function uninstallServices(
  wishes: readonly (ServiceWish | "image")[],
  root: string | null,
): Promise<Uninstalled> {
  const base = root ?? "/";
  const live = root === null && systemdRuns();
  const units: string[] = [];
  const removed: string[] = [];
  for (const wish of wishes) {
    const { unit, unitFile } = wish === "image" ? IMAGE_PLACE : placeOf(wish);
    if (!isOurs(join(base, SYSTEMD_DIR, unitFile))) continue;
    // The stop drains: it may take as long as the jobs that run.
    if (live) await systemctl("disable", "--now", unit);
    rmSync(join(base, SYSTEMD_DIR, "multi-user.target.wants", unit), { force: true });
    units.push(unit);
    removed.push(...removeFiles(base, wish === "image" ? [join(SYSTEMD_DIR, unitFile)] : filesOf(base, wish)));
  }
  const { services } = serviceDescription();
  const left = [`${services.runner.unit}.service`, `${services.mng.unit}.service`, `${services.runner.unit}@.service`];
  if (!left.some((name) => existsSync(join(base, SYSTEMD_DIR, name)))) {
    removed.push(...removeFiles(base, [sysusersFile().path]));
  }
  if (live && units.length > 0) {
    await systemctl("daemon-reload");
    // A unit that had failed would be listed for ever.
    await runProgram("systemctl", "reset-failed", ...units);
  }
  return { units, removed };
}

/** A template goes with its last instance. */
function filesOf(base: string, wish: ServiceWish): string[] {
  const dropIns = ownDropIns(join(base, dropInDir(wish))).map((name) => join(dropInDir(wish), `${name}.conf`));
  const needed = wish.instance !== null && instancesOf(base).length > 0;
  return needed ? dropIns : [...dropIns, join(SYSTEMD_DIR, placeOf(wish).unitFile)];
}

/** Every service of the runner on this machine, its supervisor first: it would start what is stopped. */
export function everyWish(root: string | null, prefix: string): (ServiceWish | "image")[] {
  const runner: ServiceWish = { service: "runner", mode: null, instance: null, prefix };
  const instances = instancesOf(root ?? "/").map((instance) => ({ ...runner, instance }));
  return [{ ...runner, service: "mng" }, "image", runner, ...instances];
}

/** Names of the instances that start with the machine. */
function instancesOf(base: string): string[] {
  const folder = join(base, SYSTEMD_DIR, "multi-user.target.wants");
  const { unit } = serviceDescription().services.runner;
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => {
    const [, instance] = /^(?:.+)@(.+)\.service$/.exec(name) ?? [];
    return instance !== undefined && name.startsWith(`${unit}@`) ? [instance] : [];
  });
}
