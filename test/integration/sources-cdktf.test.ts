import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPackageRegistry, wheelFolder } from "../lib/package-registry.ts";
import { bed, change, disposeTerraformJobs, job } from "../lib/terraform-jobs.ts";

const inCi = process.env.CI === "true";
const noTerraform = Bun.which("terraform") === null;
const noNode = Bun.which("npm") === null || Bun.which("node") === null;
const python = Bun.which("python3");
const disposals: (() => void)[] = [];
afterEach(() => {
  disposeTerraformJobs();
  for (const dispose of disposals.splice(0)) dispose();
});
const cacheFolder = () => {
  const path = mkdtempSync(join(tmpdir(), "cdktf-cache-"));
  disposals.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
};

const project = (app: string, more: object = {}) => JSON.stringify({ language: "x", app, ...more });
/** Writes stacks as an app would, without any package. */
const WRITER = `
const { mkdirSync, writeFileSync } = require("node:fs");
const out = process.env.CDKTF_OUTDIR;
for (const name of (process.env.STACKS ?? "net").split(",")) {
  mkdirSync(out + "/stacks/" + name, { recursive: true });
  const backend = process.env.BACKEND ? JSON.parse(process.env.BACKEND) : { local: { path: "/x/terraform.tfstate" } };
  const output = { greeting: { value: "hello " + name + " " + (process.env.EXTRA ?? "") } };
  writeFileSync(out + "/stacks/" + name + "/cdk.tf.json", JSON.stringify({ terraform: { backend }, output }));
}
`;
const stackOf = (harness: ReturnType<typeof job>) => harness.runs.find(({ key }) => key === "init")?.cwd ?? "";
/** Stops after synthesis: the program that would be terraform fails. */
const only = { tools: { terraform: "/bin/false" } };
const env = (variables: Record<string, string>) => ({ block: { env_vars: variables } });

describe("a source with a cdktf.json", () => {
  test.skipIf(noTerraform && !inCi)(
    "is planned and applied as the stack its app writes, state with the control plane",
    async () => {
      const at = bed({ "cdktf.json": project("bun main.ts"), "main.ts": WRITER });
      const { planned, applied, harness } = await change(at);
      expect([planned.status, applied.status, applied.outputs]).toEqual([
        "finished",
        "finished",
        { greeting: "hello net " },
      ]);
      expect(harness.steps.map(({ name, code }) => [name, code])).toEqual([
        ["synth", 0],
        ["init", 0],
        ["apply", 0],
      ]);
      expect(stackOf(harness)).toEndWith("module/cdktf.out/stacks/net");
      expect(readFileSync(join(stackOf(harness), "cdk.tf.json"), "utf8")).not.toContain("tfstate");
    },
    60_000,
  );

  test.each([
    ["npx ts-node main.ts"],
    ["npx --yes tsx main.ts"],
    ["bun run main.ts"],
    ["ts-node -P tsconfig.json main.ts"],
    ["echo first && node main.js"],
    ["./app.sh"],
  ])(
    "is synthesised by the command %s",
    async (app) => {
      const shebang = '#!/bin/sh\nexec node main.js "$@"\n';
      const at = bed({ "cdktf.json": project(app), "main.ts": WRITER, "main.js": WRITER, "app.sh": shebang });
      const harness = job(at, only);
      const { reason } = await harness.run();
      expect(reason).toBe("terraform init failed (exit 1)");
      expect(existsSync(join(stackOf(harness), "cdk.tf.json"))).toBe(true);
    },
    20_000,
  );

  test("is synthesised by Bun where there is no node", async () => {
    const at = bed({ "cdktf.json": project("node main.js"), "main.js": WRITER });
    const harness = job(at, { ...only, ...env({ PATH: "/nonexistent/bin" }) });
    expect((await harness.run()).reason).toBe("terraform init failed (exit 1)");
    expect(harness.runs[0]?.argv[0]).toBe(process.execPath);
    expect(harness.runs[0]?.env.BUN_BE_BUN).toBe("1");
  });

  test.skipIf(python === null && !inCi)(
    "is synthesised by Python, with the packages of its requirements",
    async () => {
      const wheels = wheelFolder(python ?? "python3");
      disposals.push(() => rmSync(wheels, { recursive: true, force: true }));
      const code = `
import json, os, greet
out = os.path.join(os.environ["CDKTF_OUTDIR"], "stacks", "net")
os.makedirs(out)
json.dump({"output": {"greeting": {"value": greet.greet("python")}}}, open(os.path.join(out, "cdk.tf.json"), "w"))
`;
      const at = bed({
        "cdktf.json": project("pipenv run python main.py"),
        "main.py": code,
        "requirements.txt": "# packages\ngreet==1.0.0  # of ours\n",
      });
      const cacheDir = cacheFolder();
      const variables = env({ PIP_NO_INDEX: "1", PIP_FIND_LINKS: wheels });
      for (const installs of [1, 0]) {
        const harness = job(at, { ...only, ...variables, cacheDir });
        const { reason } = await harness.run();
        expect(reason).toBe("terraform init failed (exit 1)");
        expect(readFileSync(join(stackOf(harness), "cdk.tf.json"), "utf8")).toContain("greetings, python");
        expect(harness.runs.filter(({ key }) => key === "app-packages")).toHaveLength(installs);
      }
    },
    60_000,
  );

  test.skipIf(noNode && !inCi)(
    "has the packages of its lockfile, installed once for all jobs and without their scripts",
    async () => {
      const registry = startPackageRegistry();
      disposals.push(registry.stop);
      const integrity = await integrityOf(registry.url);
      const packages = {
        "": { name: "app", dependencies: { greet: "1.0.0" } },
        "node_modules/greet": { version: "1.0.0", resolved: `${registry.url}greet-1.0.0.tgz`, integrity },
      };
      const files = {
        "cdktf.json": project("npx ts-node main.ts"),
        "main.ts": `${WRITER}\nconsole.log(require("greet")("you"));\n`,
        "package.json": JSON.stringify({ name: "app", dependencies: { greet: "1.0.0" } }),
        "package-lock.json": JSON.stringify({ name: "app", lockfileVersion: 3, requires: true, packages }),
      };
      const cacheDir = cacheFolder();
      const variables = env({ npm_config_registry: registry.url });
      for (const installs of [1, 0]) {
        const harness = job(bed(files), { ...only, ...variables, cacheDir });
        expect((await harness.run()).reason).toBe("terraform init failed (exit 1)");
        expect(harness.log()).toContain("greetings, you");
        const installed = harness.runs.filter(({ key }) => key === "app-packages");
        expect(installed).toHaveLength(installs);
        for (const run of installed) expect(run.argv).toContain("--ignore-scripts");
        expect(lstatSync(join(harness.work, "module/node_modules")).isSymbolicLink()).toBe(true);
        expect(existsSync(join(harness.work, "app-packages"))).toBe(false);
      }
      expect(readdirSync(join(cacheDir, "packages"))).toEqual([expect.stringMatching(/^cdktf-[0-9a-f]{32}$/)]);

      // Without npm the same lockfile is read by Bun.
      const byBun = job(bed(files), {
        ...only,
        ...env({ npm_config_registry: registry.url, PATH: "/nonexistent/bin" }),
      });
      expect((await byBun.run()).reason).toBe("terraform init failed (exit 1)");
      expect(byBun.log()).toContain("greetings, you");
      expect(byBun.runs[0]?.argv.slice(0, 2)).toEqual([process.execPath, "install"]);

      // A package that was changed on its way is not used, and nothing of it stays.
      const wrong = files["package-lock.json"].replace(integrity, `sha512-${btoa("x".repeat(64))}`);
      const spoilt = job(bed({ ...files, "package-lock.json": wrong }), { ...only, ...variables, cacheDir });
      expect((await spoilt.run()).reason).toContain("the packages of the app could not be installed: npm:");
      expect(readdirSync(join(cacheDir, "packages"))).toHaveLength(1);
    },
    60_000,
  );

  test("takes the stack that the job names, and asks for a name when there are several", async () => {
    const at = bed({ "cdktf.json": project("bun main.ts"), "main.ts": WRITER });
    const run = async (stack: string | null) => {
      const block = { env_vars: { STACKS: "net,db" }, ...(stack === null ? {} : { stack }) };
      const harness = job(at, { ...only, block });
      return { harness, outcome: await harness.run() };
    };
    const named = await run("db");
    expect(stackOf(named.harness)).toEndWith("stacks/db");
    const open = await run(null);
    expect(open.outcome.reason).toContain("it has several stacks: db, net");
    expect(open.outcome.remedy).toContain("`stack`");
    expect((await run("none")).outcome.reason).toContain("it has no stack none, only db, net");
    const plain = job(bed({ "main.tf": "" }), { ...only, block: { stack: "net" } });
    expect((await plain.run()).reason).toContain("its source has no cdktf.json");
  }, 20_000);

  test("with a backend of its own is refused as any module is", async () => {
    const at = bed({ "cdktf.json": project("bun main.ts"), "main.ts": WRITER });
    const { reason } = await job(at, { ...only, ...env({ BACKEND: '{"s3":{"bucket":"x"}}' }) }).run();
    expect(reason).toContain("configures its own s3 backend in cdk.tf.json");
  });

  test.each<[string, Record<string, string>, string]>([
    ["that is not JSON", { "cdktf.json": "{" }, "cdktf.json is not JSON"],
    ["without an app", { "cdktf.json": "{}" }, "cdktf.json: app:"],
    ["whose output leads out", { "cdktf.json": project("x", { output: "../.." }) }, "leads out of its source"],
    ["whose output is the source", { "cdktf.json": project("x", { output: "." }) }, "the folder itself"],
    [
      "whose app throws",
      { "cdktf.json": project("bun main.ts"), "main.ts": 'throw new TypeError("no such zone")' },
      "the cdktf app (bun main.ts) exited with 1: TypeError: no such zone",
    ],
    ["whose app is missing", { "cdktf.json": project("bun main.ts") }, "exited with 1: error: "],
    ["whose app writes nothing", { "cdktf.json": project("true") }, "the app has written no stack"],
    [
      "whose packages have no lockfile",
      { "cdktf.json": project("bun main.ts"), "package.json": '{"dependencies":{"cdktn":"0.24.0"}}' },
      "there is no lockfile beside it",
    ],
    [
      "whose requirements are open",
      { "cdktf.json": project("python3 main.py"), "requirements.txt": "cdktn>=0.20\n" },
      '"cdktn>=0.20" is not an exact version',
    ],
    [
      "whose packages are named where we do not look",
      { "cdktf.json": project("poetry run python3 main.py"), "poetry.lock": "" },
      "named in poetry.lock, which is not read here",
    ],
    [
      "whose bindings were never made",
      {
        "cdktf.json": project("bun main.ts", { terraformProviders: ["hashicorp/aws@~>5"] }),
        "main.ts": 'import "./.gen/providers/aws";',
      },
      "its provider bindings are missing: commit what `cdktf get` made",
    ],
  ])("%s is refused in one line", async (_, files, reason) => {
    const harness = job(bed(files), only);
    const outcome = await harness.run();
    expect([outcome.status, outcome.reason]).toEqual(["failed", expect.stringContaining(reason)]);
    expect(outcome.reason).not.toContain("\n");
    expect(harness.runs.some(({ key }) => key === "init")).toBe(false);
  });

  test("is synthesised anew, whatever its author left in the output folder", async () => {
    const files = { "cdktf.json": project("true"), "cdktf.out/stacks/old/cdk.tf.json": "{}" };
    expect((await job(bed(files), only).run()).reason).toContain("the app has written no stack");
  });
});

/** The registry of npm is asked for the two packages of the fixture. */
describe.skipIf((noTerraform || noNode) && !inCi)("an app of CDK Terrain (cdktn from npm, terraform)", () => {
  const fixture = join(import.meta.dir, "../fixtures/cdktf");
  const files = Object.fromEntries(
    readdirSync(fixture).map((name) => [name.replace(/\.txt$/, ""), readFileSync(join(fixture, name), "utf8")]),
  );

  test("is synthesised by Bun with the packages of its lockfile, planned, applied and planned again without changes", async () => {
    const cacheDir = cacheFolder();
    const at = bed(files);
    const { applied, harness } = await change(at, { cacheDir, verify: true });
    expect([applied.reason, applied.outputs]).toEqual(["", { greeting: "hello context" }]);
    expect(harness.runs[0]?.argv.slice(1)).toEqual(["--no-install", "run", "main.ts"]);
    const renamed = await change(at, { cacheDir, ...env({ WHO: "world" }) });
    expect(renamed.applied.outputs).toEqual({ greeting: "hello world" });
  }, 120_000);
});

async function integrityOf(registry: string): Promise<string> {
  const bytes = await (await fetch(`${registry}greet-1.0.0.tgz`)).bytes();
  return `sha512-${new Bun.CryptoHasher("sha512").update(bytes).digest("base64")}`;
}
