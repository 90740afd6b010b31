import { statSync } from "node:fs";
import { resolve } from "node:path";
import { RunnerError } from "../../internal/protocol/errors.ts";

/** The mirror as jobs get it: an https address or an absolute folder. Throws RunnerError usage for anything else. */
export function providerMirror(given: string | null, cwd: string): string | null {
  if (given === null || given.startsWith("https://")) return given;
  const place = "RUNNER_PROVIDER_MIRROR";
  if (/^[a-z]+:\/\//i.test(given)) {
    throw new RunnerError("usage", `${place}: found "${given}"; Terraform takes an https address or a folder`, {
      remedy: "Serve the mirror over https, or name its folder.",
    });
  }
  const folder = resolve(cwd, given);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return folder;
  throw new RunnerError("usage", `${place}: there is no folder ${folder}`, {
    remedy: "Fill one with `terraform providers mirror FOLDER`, or leave the setting out.",
  });
}
