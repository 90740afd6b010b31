import { statSync } from "node:fs";
import { startPodman } from "../../bed/engines.ts";
import { buildImages, imageMissing, importBase, RUNNER_IMAGE, runnerImageArchive } from "../../bed/runner-image.ts";
import { compileHello } from "../floor/compile-hello.ts";
import { makeBed } from "../lib/processes.ts";
import { overFloor, type Row } from "../lib/row.ts";

/** A goal of the plan: what an image adds to the program. */
const MOST_MB = 30;
/** The vendors' archives are not fetched for a benchmark; their programs only add themselves. */
const NO_TOOLS = ["terraform", "tofu", "helm", "kubectl", "oras"].flatMap((tool) => ["--tool", `${tool}=none`]);
const MEGABYTE = 1e6;

/** What a person sees in `podman images` beside what they see with `ls -l`. */
export const sizes: Row = {
  name: "sizes",
  why: "Beside the binary there are libc, git with what it links to (TLS, Kerberos, LDAP), ssh and busybox.",
  async measure({ binary }) {
    const missing = imageMissing();
    if (missing !== null) throw new Error(missing);
    const bed = makeBed();
    const podman = await startPodman();
    try {
      const size = (image: string) => Number(podman.run("image", "inspect", "-f", "{{.Size}}", image)) / MEGABYTE;
      const program = statSync(binary).size / MEGABYTE;
      const bare = statSync(await compileHello(bed)).size / MEGABYTE;
      podman.run("load", "-q", "-i", await runnerImageArchive());
      const image = size(RUNNER_IMAGE);
      importBase(podman);
      await buildImages(podman, ["--image", "runner-tools", "--on", RUNNER_IMAGE, ...NO_TOOLS]);
      return [
        {
          what: "binary",
          unit: "MB",
          values: [program],
          floor: { what: "a compiled Bun program that serves hello: Bun itself", values: [bare] },
          goals: [],
          how: "as `ls -l` says; every run is the same. No figure of the reference's is published.",
        },
        {
          what: "image `runner`, on disk",
          unit: "MB",
          values: [image],
          floor: { what: "the binary in it", values: [program] },
          goals: [overFloor(`binary + ${MOST_MB} MB`, MOST_MB)],
          how: "as `podman images` says, uncompressed. The reference's image stands on golang:alpine, a whole Go toolchain; no figure of it is published.",
        },
        {
          what: "image `runner-tools`, its tools aside",
          unit: "MB",
          values: [size(RUNNER_IMAGE.replace("runner:", "runner-tools:"))],
          floor: { what: "the image `runner`, on which it stands", values: [image] },
          goals: [],
          how: "the same, with bash, Python, jq and curl; each pinned tool adds the size of its program. The reference has one image, with its tools and compilers.",
        },
      ];
    } finally {
      await bed.end();
      await podman.end();
    }
  },
};
