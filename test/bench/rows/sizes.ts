import { statSync } from "node:fs";
import { startPodman } from "../../bed/engines.ts";
import { imageMissing, RUNNER_IMAGE, runnerImageArchive } from "../../bed/runner-image.ts";
import { overFloor, type Row } from "../lib/row.ts";

/** A goal of the plan: what an image adds to the program. */
const MOST_MB = 30;

/** What a person sees in `podman images` beside what they see with `ls -l`. */
export const sizes: Row = {
  name: "sizes",
  why: "Beside the binary there are libc, git with what it links to (TLS, Kerberos, LDAP), ssh and busybox.",
  async measure({ binary }) {
    const missing = imageMissing();
    if (missing !== null) throw new Error(missing);
    const podman = await startPodman();
    try {
      podman.run("load", "-q", "-i", await runnerImageArchive());
      const image = Number(podman.run("image", "inspect", "-f", "{{.Size}}", RUNNER_IMAGE));
      return [
        {
          what: "image `runner`, on disk",
          unit: "MB",
          values: [image / 1e6],
          floor: { what: "the binary in it", values: [statSync(binary).size / 1e6] },
          goals: [overFloor(`binary + ${MOST_MB} MB`, MOST_MB)],
          how: "as `podman images` says, uncompressed; every run is the same. The reference's image stands on golang:alpine, a whole Go toolchain; no figure of it is published.",
        },
      ];
    } finally {
      await podman.end();
    }
  },
};
