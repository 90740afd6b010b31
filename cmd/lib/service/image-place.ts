import { existsSync } from "node:fs";
import { join } from "node:path";
import { IMAGE_UNIT, SYSTEMD_DIR, serviceDescription } from "../../../internal/kit/service/index.ts";
import { containedPresence, type Presence } from "../../../internal/runner/supervisor/presence.ts";
import { isOurs, textOf } from "./files.ts";

/** The runner of a machine as a container of this engine. */
export type ContainerEngine = "podman" | "docker";

/** Where its parts lie. */
export const IMAGE_PLACE = {
  unit: `${IMAGE_UNIT}.service`,
  unitFile: `${IMAGE_UNIT}.service`,
  get imageFile() {
    return join(serviceDescription().config, "image.env");
  },
  get stateDir() {
    return join(serviceDescription().state, "image");
  },
} as const;

/** The engine that the unit here was made for; null: there is none of ours. */
export function installedEngine(base: string): ContainerEngine | null {
  const path = join(base, SYSTEMD_DIR, IMAGE_PLACE.unitFile);
  if (!isOurs(path)) return null;
  return /^ExecStart=\S*docker /m.test(textOf(path) ?? "") ? "docker" : "podman";
}

/** It is the runner of this machine: it starts with it. */
export const imageIsEnabled = (base: string): boolean =>
  installedEngine(base) !== null && existsSync(join(base, SYSTEMD_DIR, "multi-user.target.wants", IMAGE_PLACE.unit));

/** What the runner in it says of itself: no notification of it reaches systemd. */
export const imagePresence = (): Presence | null => containedPresence(IMAGE_PLACE.stateDir)();

/** The one runner of this machine is the image, as far as its units tell. */
export const runnerIsImage = (base: string): boolean =>
  imageIsEnabled(base) ||
  (installedEngine(base) !== null &&
    !existsSync(join(base, SYSTEMD_DIR, `${serviceDescription().services.runner.unit}.service`)));
