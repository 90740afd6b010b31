import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { detectPlatform } from "../../../internal/kit/release/index.ts";
import type { ReleaseArtifact } from "../../../internal/kit/release/manifest.ts";
import { startReleaseHost } from "../../e2e/install/lib/release-host.ts";
import { newSigner, writeRelease } from "../../lib/release-folder.ts";
import { type Bed, makeBed } from "../lib/processes.ts";
import type { Row } from "../lib/row.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;
/** An install as root would make the user and the settings of this machine; nobody's makes neither. */
const NOBODY = 65_534;
const AS_NOBODY = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];

/** From an empty prefix to a program that runs, and the same again where nothing is to be done. */
export const install: Row = {
  name: "install",
  why: "Beside what the floor does, the signature is checked, the program is started once, and it is flushed to the disk before it is switched to.",
  async measure({ binary, runs }) {
    const bed = makeBed();
    const release = makeRelease(bed, binary);
    const host = startReleaseHost(bed.path("release"));
    try {
      const url = `${host.url}/${encodeURIComponent(release.file)}`;
      const bare = ["sh", "-ec", `curl -fsS -o bare '${url}'; sha256sum bare; rm bare`];
      const times: Record<"first" | "again" | "bare", number[]> = { first: [], again: [], bare: [] };
      for (let run = -1; run < runs; run++) {
        const prefix = bed.path("prefix");
        const ours = [
          ...["sh", bed.path("install.sh"), "--base-url", host.url, "--prefix", prefix],
          ...["--no-service", "--public-key", bed.path("release", "release.pub")],
        ];
        const one = {
          bare: await seconds(bed, bare, release.sum),
          first: await seconds(bed, ours, `version ${release.version}`),
          again: await seconds(bed, ours, "nothing was changed"),
        };
        rmSync(prefix, { recursive: true });
        if (run < 0) continue;
        for (const name of Object.keys(one) as (keyof typeof one)[]) times[name].push(one[name]);
      }
      const floor = { what: "`curl` of the same file and `sha256sum`, not flushed", values: times.bare };
      return [
        {
          what: "install.sh from a local host",
          unit: "s",
          values: times.first,
          floor,
          goals: [],
          how: "from spawn to exit, into an empty prefix: signed release with this program from a web server on loopback, `--no-service`, as a user without rights. No figure of the reference's installer is published; it checks neither checksum nor signature.",
        },
        {
          what: "install.sh once more",
          unit: "s",
          values: times.again,
          floor: null,
          goals: [],
          how: "the same command again: it checks the release and the installed program and changes nothing. The reference's downloads again.",
        },
      ];
    } finally {
      await host.end();
      await bed.end();
    }
  },
};

interface Made {
  readonly version: string;
  readonly file: string;
  readonly sum: string;
}

/** A release as `npm run release` makes it, with this one program. */
function makeRelease(bed: Bed, binary: string): Made {
  const { os, arch, libc, avx2 } = detectPlatform();
  if (os !== "linux" || (arch !== "x64" && arch !== "arm64"))
    throw new Error(`install is measured on Linux, not ${os}`);
  const variant: ReleaseArtifact["variant"] = libc === "musl" ? "musl" : avx2 || arch === "arm64" ? "" : "baseline";
  const version = Bun.spawnSync([binary, "version"]).stdout.toString().trim();
  const folder = bed.path("release");
  writeRelease(folder, newSigner(), { version, programs: [{ os, arch, variant, bytes: readFileSync(binary) }] });
  copyFileSync(join(ROOT, "install.sh"), bed.path("install.sh"));
  const manifest: { artifacts: readonly ReleaseArtifact[] } = JSON.parse(
    readFileSync(join(folder, "release.json"), "utf8"),
  );
  const artifact = manifest.artifacts[0];
  if (!artifact) throw new Error("the release is empty");
  mkdirSync(bed.path("tmp"));
  // For the user without rights: mkdtemp gives a folder to its maker alone.
  chmodSync(bed.root, 0o777);
  chmodSync(bed.path("tmp"), 0o777);
  return { version, file: artifact.file, sum: artifact.sha256 };
}

/** Runs to its end, which must be good and say this. */
async function seconds(bed: Bed, argv: readonly string[], says: string): Promise<number> {
  const began = performance.now();
  const child = bed.spawn(process.getuid?.() === 0 ? [...AS_NOBODY, ...argv] : argv, { TMPDIR: bed.path("tmp") });
  const code = await child.exited;
  const took = (performance.now() - began) / 1_000;
  // The pipe is read a moment later than the end is seen.
  for (let look = 0; look < 100 && !child.output().includes(says); look++) await Bun.sleep(5);
  if (code !== 0 || !child.output().includes(says)) throw new Error(`${argv.join(" ")}: ${code} ${child.output()}`);
  return took;
}
