import { afterEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { platformName } from "../../internal/kit/tools/index.ts";
import { goProgram } from "../bed/go-program.ts";
import { GO_PROGRAMS } from "../bed/manifest.ts";
import { bed, disposeTerraformJobs, job } from "../lib/terraform-jobs.ts";
import { zip } from "../lib/zip.ts";

const provider = goProgram("terraform-provider-time");
const { version } = GO_PROGRAMS["terraform-provider-time"];
const noTerraform = Bun.which("terraform") === null;
const inCi = process.env.CI === "true";
const folders: string[] = [];
afterEach(() => {
  disposeTerraformJobs();
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});
const folder = () => {
  const path = mkdtempSync(join(tmpdir(), "mirrors-"));
  folders.push(path);
  return path;
};

describe.skipIf((noTerraform || provider === null) && !inCi)(
  "a provider mirror that delivers something else than was locked",
  () => {
    const address = "registry.terraform.io/hashicorp/time";
    const program = `terraform-provider-time_v${version}`;
    const LOCKED = {
      "main.tf": `
terraform {
  required_providers {
    time = { source = "hashicorp/time", version = "${version}" }
  }
}
resource "time_static" "now" { rfc3339 = "2026-11-21T00:00:00Z" }
`,
      ".terraform.lock.hcl": `
provider "${address}" {
  version     = "${version}"
  constraints = "${version}"
  hashes = [
    "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "zh:${"0".repeat(64)}",
  ]
}
`,
    };
    const sharedPlugins = (cacheDir: string) =>
      [...new Bun.Glob("plugins/**").scanSync({ cwd: cacheDir, dot: true })].filter((path) => path.includes("time"));

    test("packed is refused with both sums, and nothing of it stays in the shared cache", async () => {
      const [providerMirror, cacheDir] = [folder(), folder()];
      const archive = zip(program, readFileSync(provider ?? ""));
      mkdirSync(join(providerMirror, address), { recursive: true });
      writeFileSync(join(providerMirror, address, `terraform-provider-time_${version}_${platformName()}.zip`), archive);
      const { reason, remedy } = await job(bed(LOCKED), { providerMirror, cacheDir }).run();
      const found = createHash("sha256").update(archive).digest("hex");
      expect(reason).toContain(`the provider ${address} ${version} has zh:${found}, expected h1:AAAA`);
      expect(reason).toContain(`zh:${"0".repeat(64)}: not used`);
      expect(remedy).toContain("terraform providers lock");
      expect(sharedPlugins(cacheDir)).toEqual([]);

      const files = { ...LOCKED, ".terraform.lock.hcl": LOCKED[".terraform.lock.hcl"].replace("0".repeat(64), found) };
      expect((await job(bed(files), { providerMirror, cacheDir }).run()).reason).toBe("");
      expect(sharedPlugins(cacheDir)).toHaveLength(1);
    }, 60_000);

    test("unpacked is refused with both sums; the sum it tells is the one that terraform locks", async () => {
      const [providerMirror, cacheDir] = [folder(), folder()];
      const unpacked = join(providerMirror, address, version, platformName());
      mkdirSync(unpacked, { recursive: true });
      cpSync(provider ?? "", join(unpacked, program));
      const { reason } = await job(bed(LOCKED), { providerMirror, cacheDir }).run();
      const told = /has (h1:\S+), expected h1:AAAA/.exec(reason)?.[1] ?? "";
      expect(told).not.toBe("");
      expect(sharedPlugins(cacheDir)).toEqual([]);

      const files = { ...LOCKED, ".terraform.lock.hcl": LOCKED[".terraform.lock.hcl"].replace(/h1:[^"]+/, told) };
      expect((await job(bed(files), { providerMirror, cacheDir }).run()).reason).toBe("");
      expect(readdirSync(unpacked)).toEqual([program]);
    }, 60_000);
  },
);
