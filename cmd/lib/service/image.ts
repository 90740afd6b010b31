import { existsSync } from "node:fs";
import { join } from "node:path";
import { imageUnitFile, placeOf, serviceDescription } from "../../../internal/kit/service/index.ts";
import { RunnerError } from "../../../internal/protocol/errors.ts";
import { openImageFile } from "../../../internal/runner/supervisor/image-file.ts";
import { writeFiles } from "./files.ts";
import { type ContainerEngine, IMAGE_PLACE } from "./image-place.ts";
import { checkMachine, configTemplate, type Installed, isConfigured, link } from "./install.ts";
import { showUnit, systemctl } from "./systemctl.ts";

const HINT = [
  "# Which image the runner is; mng writes this file anew when it updates. A digest makes it exact.",
  "#RUNNER_IMAGE=registry.example.com/team/runner:0.1.0@sha256:…",
  "",
].join("\n");

/** Idempotent, as `installService`. It takes the place of the program's unit: one identity, one runner. */
export async function installImage(engine: ContainerEngine, root: string | null, start: boolean): Promise<Installed> {
  const base = root ?? "/";
  const { unit, imageFile } = IMAGE_PLACE;
  const program = placeOf({ service: "runner", mode: null, instance: null, prefix: serviceDescription().prefix });
  if (root === null) checkMachine();
  checkEngine(base, engine);
  const changed = writeFiles(base, [imageUnitFile(engine)]);
  configTemplate(base, program);
  if (!existsSync(join(base, imageFile))) writeFiles(base, [{ path: imageFile, text: HINT, mode: 0o600 }]);
  if (root !== null) return { ...link(root, IMAGE_PLACE, start), changed, restartNeeded: false };
  if (changed.length > 0) await systemctl("daemon-reload");
  const running = ["active", "activating"].includes((await showUnit(unit, ["ActiveState"]))("ActiveState"));
  const done = { unit, changed, restartNeeded: running && changed.length > 0 };
  if (!start) return { ...done, enabled: false, state: running ? "running" : "not started" };
  const configured = isConfigured(base, program) && openImageFile(imageFile).read().current !== null;
  const state = running ? "running" : configured ? "started" : "not configured";
  if (state === "not configured") return { ...done, enabled: false, state };
  if ((await showUnit(program.unit, ["UnitFileState"]))("UnitFileState") === "enabled") {
    await systemctl("disable", program.unit);
  }
  await systemctl("enable", unit);
  // Its Conflicts= ends the program's unit, which drains first.
  if (!running) await systemctl("start", "--no-block", unit);
  return { ...done, enabled: true, state };
}

/** The unit starts it from there, and no other place. */
function checkEngine(base: string, engine: ContainerEngine): void {
  if (existsSync(join(base, "usr/bin", engine))) return;
  throw new RunnerError("environment", `there is no ${join(base, "usr/bin", engine)} on this machine`, {
    remedy: `Install ${engine} first.`,
  });
}
