import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseJobFile } from "../../internal/protocol/job-file-parse.ts";
import { PAGES } from "../../scripts/lib/handler-docs.ts";
import { type Engine, engineMissing, startPodman } from "../bed/engines.ts";
import { goProgram } from "../bed/go-program.ts";
import { type KubeNode, nodeMissing, startNode } from "../bed/node/node.ts";
import { makeBed } from "../faults/lib/processes.ts";
import { commandsOf, filledIn, linesOf } from "../lib/doc-blocks.ts";

setDefaultTimeout(180_000);
const ci = process.env.CI === "true";
const without = (missing: string | null) => missing !== null && !ci;
const noEngine = without(engineMissing("podman"));
const noNode = without(nodeMissing());
const noHelm = noNode || (goProgram("helm3") === null && !ci);

const EXAMPLES = join(import.meta.dir, "../../examples");
const bed = makeBed();
let node: KubeNode | null = null;
let engine: Engine | null = null;
cpSync(EXAMPLES, bed.path("examples"), { recursive: true, filter: (path) => !path.endsWith("/.runner") });
mkdirSync(bed.path("bin"));
const helm = goProgram("helm3");
if (helm !== null) symlinkSync(helm, bed.path("bin/helm"));

beforeAll(async () => {
  if (!noEngine) engine = await startPodman();
  if (!noNode) node = await startNode();
});
afterAll(async () => {
  await bed.end();
  await engine?.end();
  await node?.end();
});

/** `runner run-local` with what the bed has: an engine, a cluster, helm. The job's log is on stderr. */
async function run(file: string, flags: readonly string[] = [], env: Record<string, string> = {}) {
  const all = {
    PATH: `${bed.path("bin")}:${process.env.PATH ?? ""}`,
    ...engine?.env,
    ...(node === null ? {} : { RUNNER_KUBECONFIG: node.kubeconfig }),
    ...env,
  };
  const { code, stdout, stderr } = await bed.run(["run-local", "--json", `examples/${file}`, ...flags], all);
  const end = JSON.parse(stdout.trimEnd().split("\n").at(-1) || "null");
  // What went wrong stands beside what was expected.
  return { code, end, log: stderr, sum: code === 0 ? end.status : `${code} ${stderr}\n${JSON.stringify(end)}` };
}

/** The command of a page of docs/handlers, by the kubeconfig of the bed; its exit code. */
async function asPageSays(page: string): Promise<number> {
  const [command = ""] = commandsOf(page, "examples").flatMap(linesOf);
  const [, ...args] = filledIn(command, { "~/.kube/config": node?.kubeconfig ?? "" }).split(" ");
  return (await bed.run(args, { PATH: `${bed.path("bin")}:${process.env.PATH ?? ""}` })).code;
}

/** The same file with another operation, as a person would edit it. */
function as(operation: string, file: string): string {
  const text = Bun.YAML.parse(readFileSync(bed.path("examples", file), "utf8"));
  const other = file.replace(/\.yaml$/, `.${operation}.json`);
  writeFileSync(bed.path("examples", other), JSON.stringify({ ...(text as object), operation }));
  return other;
}

describe("an example runs as it is:", () => {
  test.skipIf(noEngine)("container/report.yaml, with its source and outputs", async () => {
    const { sum, end, log } = await run("container/report.yaml");
    expect([sum, end.outputs.sum]).toEqual(["finished", "42"]);
    expect(log).toContain("figures: 42");
  });

  test.skipIf(noNode)("job-deploy/job.yaml, a Job of a real cluster, and nothing of it stays", async () => {
    const { sum } = await run("job-deploy/job.yaml");
    expect(sum).toBe("finished");
    expect(await node?.kubectl(["get", "jobs,pods", "-A", "-o", "name"])).toBe("");
  });

  test.skipIf(noNode)("kubernetes-manifest-deploy/job.yaml, planned, applied and taken down again", async () => {
    const file = "kubernetes-manifest-deploy/job.yaml";
    expect((await run(as("plan", file))).sum).toBe("finished");
    expect(await asPageSays("docs/handlers/manifest.md")).toBe(0);
    expect(await node?.kubectl(["-n", "web", "get", "deploy", "web", "-o", "jsonpath={.status.readyReplicas}"])).toBe(
      "1",
    );
    expect((await run(as("destroy", file))).sum).toBe("finished");
    expect(await node?.kubectl(["get", "ns", "web", "--ignore-not-found", "-o", "name"])).toBe("");
  });

  test.skipIf(noHelm)("helm-chart-deploy/job.yaml, planned, installed and removed again", async () => {
    const file = "helm-chart-deploy/job.yaml";
    expect((await run(as("plan", file))).sum).toBe("finished");
    expect(await asPageSays("docs/handlers/helm.md")).toBe(0);
    expect(await node?.kubectl(["get", "secrets", "-A", "-o", "name", "-l", "owner=helm"])).toContain("secret/");
    expect((await run(as("destroy", file))).sum).toBe("finished");
    expect(await node?.kubectl(["get", "secrets", "-A", "-o", "name", "-l", "owner=helm"])).toBe("");
  });

  test("handlers/disk-report.yaml, with the folder of its plug-in", async () => {
    const { sum, end } = await run("handlers/disk-report.yaml", ["--handlers-dir", bed.path("examples/handlers")]);
    expect(sum).toBe("finished");
    expect(end.outputs.used_percent).toBeWithin(0, 101);
  });

  test("policy/allowed.yaml and policy/refused.yaml, under policy/policy.yaml", async () => {
    const under = ["--policy", bed.path("examples/policy/policy.yaml")];
    expect((await run("policy/allowed.yaml", under)).sum).toBe("finished");
    const refused = await run("policy/refused.yaml", under);
    expect([refused.code, refused.end.status]).toEqual([4, "failed"]);
    expect(refused.log).not.toContain("never said\n");
  });

  const small = ["operations/noop.yaml", "operations/noop-deploy.yaml", "operations/health-check.yaml"];
  test.each([...small, "operations/shut-down.yaml"])("%s", async (file) => {
    expect((await run(file)).sum).toBe("finished");
  });
});

describe("no example is forgotten:", () => {
  /** What is no job file: profiles, manifests, charts, values. */
  const parts = [
    "container/profiles.yaml",
    "kubernetes-manifest-deploy/app/",
    "helm-chart-deploy/chart/",
    "helm-chart-deploy/values",
  ];
  const texts = [import.meta.path, join(import.meta.dir, "cli-local.test.ts")].map((file) =>
    readFileSync(file, "utf8"),
  );

  test("every job file is run by a test", () => {
    const jobs = readdirSync(EXAMPLES, { recursive: true, encoding: "utf8" })
      .filter((file) => /\.ya?ml$/.test(file) && !file.includes(".runner/"))
      .filter((file) => !parts.some((part) => file.startsWith(part)));
    expect(jobs.length).toBeGreaterThan(10);
    expect(jobs.filter((file) => !texts.some((text) => text.includes(file)))).toEqual([]);
  });

  test.each(Object.entries(PAGES))("%s has one, and it is of this type", async (type, { example }) => {
    const parsed = parseJobFile(await Bun.file(join(EXAMPLES, example)).text(), example);
    expect(parsed.ok ? parsed.value.file.type : parsed.error.message).toBe(type as never);
  });
});

test.skipIf(noNode)("`runner doctor` says which cluster jobs would meet, and what is wrong with it", async () => {
  const doctor = async (kubeconfig: string) => {
    const { stdout } = await bed.run(
      ["doctor", "--json", "--kubeconfig", kubeconfig, "--state-dir", bed.path("state")],
      {
        RUNNER_TOOLS_MIRROR: "http://127.0.0.1:1",
      },
    );
    const found: { check: string; status: string; text: string; remedy: string | null }[] = JSON.parse(stdout).findings;
    return found.find((one) => one.check === "cluster");
  };
  const put = (name: string, text: string) => {
    writeFileSync(bed.path(name), text, { mode: 0o600 });
    return bed.path(name);
  };
  expect(await doctor(node?.kubeconfig ?? "")).toMatchObject({
    status: "ok",
    text: expect.stringContaining(`Kubernetes v1.34.1 at ${node?.server}`),
  });
  expect(await doctor(put("limited", node?.configFor("limited") ?? ""))).toMatchObject({
    status: "warning",
    text: expect.stringContaining("its user may not create jobs in default"),
  });
  const unknown = (node?.configFor("admin") ?? "").replace("admintoken", "stale-token");
  expect(await doctor(put("unknown", unknown))).toMatchObject({
    status: "failed",
    text: expect.stringContaining("Unauthorized"),
  });
  expect(await doctor(put("nothing", "not: a kubeconfig"))).toMatchObject({ status: "failed" });
  expect(await doctor(bed.path("gone"))).toMatchObject({
    status: "failed",
    text: expect.stringContaining("cannot be read"),
    remedy: "Correct the file of --kubeconfig (RUNNER_KUBECONFIG).",
  });
});
