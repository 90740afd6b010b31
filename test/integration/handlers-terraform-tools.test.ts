import { afterEach, describe, expect, test } from "bun:test";
import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { platformName } from "../../internal/kit/tools/index.ts";
import { cliConfig } from "../../internal/runner/handlers/terraform/cli-config.ts";
import { goProgram } from "../bed/go-program.ts";
import { GO_PROGRAMS } from "../bed/manifest.ts";
import { bed, change, disposeTerraformJobs, job, MODULE, WORKSPACE } from "../lib/terraform-jobs.ts";
import { zip } from "../lib/zip.ts";

const noTerraform = Bun.which("terraform") === null;
const disposals: (() => void)[] = [];
afterEach(() => {
  disposeTerraformJobs();
  for (const dispose of disposals.splice(0)) dispose();
});
const folder = () => {
  const path = mkdtempSync(join(tmpdir(), "plugins-"));
  disposals.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
};

describe("the program of a terraform job", () => {
  const asked = (block: Record<string, unknown>) => {
    const at = bed({ "main.tf": MODULE });
    return job(at, { block, tools: { terraform: "/bin/false", tofu: "/usr/bin/false" } });
  };

  test("is terraform unless the job says tofu, and reasons name it", async () => {
    expect((await asked({}).run()).reason).toBe("terraform init failed (exit 1)");
    const tofu = asked({ tool: "tofu" });
    expect((await tofu.run()).reason).toBe("tofu init failed (exit 1)");
    expect(tofu.runs[0]?.argv[0]).toBe("/usr/bin/false");
  });

  test("is refused by name when it is neither", async () => {
    const { reason } = await asked({ tool: "pulumi" }).run();
    expect(reason).toContain('the tool "pulumi" is none of terraform, tofu');
  });
});

const tofu = goProgram("tofu");
test.skipIf(tofu === null && process.env.CI !== "true")(
  "tofu plans and applies in place of terraform",
  async () => {
    const at = bed({ "main.tf": MODULE });
    const { applied, harness } = await change(at, { block: { tool: "tofu" }, tools: { tofu: tofu ?? "" } });
    expect([applied.reason, applied.outputs?.greeting]).toEqual(["", "hello world"]);
    expect(harness.runs[0]?.argv[0]).toBe(tofu ?? "");
  },
  30_000,
);

describe.skipIf(noTerraform)("a lock that somebody else holds", () => {
  const sent = { ID: "other", Who: "ann@desk", Operation: "OperationTypeApply", Created: "2026-11-21T10:00:00Z" };

  test("is told with the job that holds it and since when, and stays", async () => {
    const at = bed({ "main.tf": MODULE });
    const lock = JSON.stringify({ ...sent, job_id: "jobother", locked_at: "2026-11-21T10:00:01.000Z" });
    at.server.locks.set(WORKSPACE, lock);
    const { reason, remedy } = await job(at).run();
    expect(reason).toBe("the state is locked by job jobother (apply) since 2026-11-21T10:00:01.000Z");
    expect(remedy).toContain("workspaces unlock");
    expect(at.server.locks.get(WORKSPACE)).toBe(lock);
  }, 30_000);

  test("is told with its id where the server does not say who holds it", async () => {
    const at = bed({ "main.tf": MODULE });
    at.server.locks.set(WORKSPACE, JSON.stringify(sent));
    const { reason } = await job(at, { hidesLocks: true }).run();
    expect(reason).toBe("the state is locked by somebody else (lock other)");
  }, 30_000);
});

describe("sandbox mode", () => {
  const settings = { sandbox_mode: true };
  const state = JSON.stringify({ version: 4, serial: 1, lineage: "x", resources: [] });
  const sandbox_mode = {
    enabled: true,
    outputs: { made: "up" },
    terraform: {
      state_json: Buffer.from(state).toString("base64"),
      workspace_id: WORKSPACE,
      plan_contents: "a plan",
      plan_display_contents: "{}",
    },
  };

  test("stores the plan's state, reports its saved plan and outputs, and starts nothing", async () => {
    const at = bed({});
    const run = job(at, { settings, plan: { sandbox_mode } });
    const { status, result, outputs } = await run.run();
    expect([status, outputs]).toEqual(["finished", { made: "up" }]);
    const bytes = Buffer.from(String(result?.contents_compressed), "base64url");
    expect(Buffer.from(Bun.gunzipSync(bytes)).toString()).toBe("a plan");
    expect([at.server.states.get(WORKSPACE), run.runs]).toEqual([state, []]);
  });

  test("without anything in the plan reports nothing, and outputs nothing", async () => {
    const { status, result, outputs } = await job(bed({}), { settings }).run();
    expect([status, result, outputs]).toEqual(["finished", null, {}]);
  });
});

describe("the program's own configuration", () => {
  test("names the mirror alone, written as HCL text", () => {
    expect(cliConfig(null)).not.toContain("provider_installation");
    const odd = "/srv/a $" + '{b} "c"';
    expect(cliConfig(odd)).toContain('path = "/srv/a $$' + '{b} \\"c\\""');
    expect(cliConfig("https://mirror.example/tf")).toContain('url = "https://mirror.example/tf/"');
  });

  test("is the job's own only where the runner has no mirror", async () => {
    const block = { env_vars: { TF_CLI_CONFIG_FILE: "/own" } };
    const own = job(bed({ "main.tf": MODULE }), { block, tools: { terraform: "/bin/false" } });
    await own.run();
    expect(own.runs[0]?.env.TF_CLI_CONFIG_FILE).toBe("/own");
    const mirrored = job(bed({ "main.tf": MODULE }), {
      block,
      tools: { terraform: "/bin/false" },
      providerMirror: folder(),
    });
    await mirrored.run();
    expect(mirrored.runs[0]?.env.TF_CLI_CONFIG_FILE).toBe(join(mirrored.work, "terraformrc"));
    expect(mirrored.log()).toContain("is not used: this runner has a provider mirror");
  });

  test("with a mirror that is not there fails the job before anything runs", async () => {
    const run = job(bed({ "main.tf": MODULE }), {
      tools: { terraform: "/bin/false" },
      providerMirror: "/nonexistent/mirror",
    });
    expect((await run.run()).reason).toBe("the provider mirror /nonexistent/mirror is not a folder");
    expect(run.runs).toEqual([]);
  });
});

const PROVIDER = "terraform-provider-time";
const PROVIDER_VERSION = GO_PROGRAMS[PROVIDER].version;
const provider = goProgram(PROVIDER);
describe.skipIf(noTerraform || provider === null)("a real provider (terraform, Go)", () => {
  const USES_TIME = `
terraform {
  required_providers {
    time = { source = "hashicorp/time", version = "${PROVIDER_VERSION}" }
  }
}
resource "time_static" "now" { rfc3339 = "2026-11-21T00:00:00Z" }
output "year" { value = time_static.now.year }
`;
  const name = `terraform-provider-time_v${PROVIDER_VERSION}`;
  const place = join("registry.terraform.io", "hashicorp", "time");

  /** As `terraform providers mirror` fills it: packed. */
  function packedMirror(): string {
    const mirror = folder();
    mkdirSync(join(mirror, place), { recursive: true });
    const archive = zip(name, readFileSync(provider ?? ""));
    writeFileSync(join(mirror, place, `terraform-provider-time_${PROVIDER_VERSION}_${platformName()}.zip`), archive);
    return mirror;
  }

  test("comes from an unpacked mirror, and from nowhere else", async () => {
    const providerMirror = folder();
    const unpacked = join(providerMirror, place, PROVIDER_VERSION, platformName());
    mkdirSync(unpacked, { recursive: true });
    cpSync(provider ?? "", join(unpacked, name));
    const { applied } = await change(bed({ "main.tf": USES_TIME }), { providerMirror });
    expect([applied.reason, applied.outputs]).toEqual(["", { year: 2026 }]);
    const absent = await job(bed({ "main.tf": USES_TIME }), { providerMirror: folder() }).run();
    expect(absent.reason).toStartWith("terraform init failed (exit 1)");
  }, 60_000);

  test("is shared by jobs at once and later: complete, and unpacked no more than each needs", async () => {
    const providerMirror = packedMirror();
    const cacheDir = folder();
    const at = [bed({ "main.tf": USES_TIME }), bed({ "main.tf": USES_TIME })];
    const both = at.map((one) => job(one, { providerMirror, cacheDir }));
    const ends = await Promise.all(both.map((one) => one.run()));
    expect(ends.map(({ reason }) => reason)).toEqual(["", ""]);
    const shared = [...new Bun.Glob(`plugins/*/${place}/*/*/*`).scanSync({ cwd: cacheDir, dot: true })];
    expect(shared.map((path) => path.split("/").slice(-3))).toEqual([[PROVIDER_VERSION, platformName(), name]]);
    expect(readFileSync(join(cacheDir, shared[0] ?? "")).equals(readFileSync(provider ?? ""))).toBe(true);

    const later = job(bed({ "main.tf": USES_TIME }), { providerMirror, cacheDir });
    expect((await later.run()).reason).toBe("");
    const own = join(later.work, "plugins", place, PROVIDER_VERSION, platformName());
    expect(lstatSync(own).isSymbolicLink()).toBe(true);
    expect(existsSync(join(own, name))).toBe(true);
  }, 60_000);
});
