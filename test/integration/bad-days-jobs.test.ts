import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { addRunner, type Control, leftOver, outcomes, type RunnerHandle, startControl } from "../faults/lib/control.ts";
import { action } from "../faults/lib/jobs.ts";
import { type Bed, freePort, makeBed, until } from "../faults/lib/processes.ts";
import { type NuonServer, startNuonServer, type TestJob } from "../lib/nuon-server.ts";

/** Jobs that cannot work: each fails with one line that says why and what to do; cleanup runs, the runner lives on. */
let bed: Bed;
beforeEach(() => {
  bed = makeBed();
});
afterEach(() => bed.end());

describe("a job of our coordinator fails in one line, and the next one is done:", () => {
  let control: Control;
  beforeEach(async () => {
    control = await startControl(bed);
  });

  const write = (name: string, lines: readonly string[]) => {
    writeFileSync(bed.path(name), `${lines.join("\n")}\n`);
    return bed.path(name);
  };

  async function failsThenGoesOn(runner: RunnerHandle, file: string, says: readonly (string | RegExp)[]) {
    const job = await control.submit(file);
    const doc = await control.ended(job);
    expect(doc.status).toBe("failed");
    expect(outcomes(doc)).toEqual(["failed"]);
    for (const words of says) expect(doc.reason).toMatch(words);
    expect(doc.reason).not.toContain("\n");
    expect(await control.log(job)).toContain(doc.reason.slice(0, 40));
    expect(await leftOver(bed, control, runner)).toEqual([]);
    const pid = runner.proc.pid;
    const good = await control.ended(await control.submit(write("good.yaml", ["type: noop"])));
    expect(good.status).toBe("finished");
    expect([runner.proc.alive(), runner.proc.pid]).toEqual([true, pid]);
  }

  const PLANS: Readonly<Record<string, readonly [plan: string, ...says: (string | RegExp)[]]>> = {
    "a plan of a wrong shape": ["{ steps: 7 }", "the plan cannot be read: steps", "Check what made this job"],
    "a plan that names nothing": ["{}", /plan.* (has no|names no) /],
  };
  for (const [what, [plan, ...says]] of Object.entries(PLANS)) {
    test(`${what}, of an action`, async () => {
      const runner = await addRunner(bed, control);
      await failsThenGoesOn(runner, write("bad.yaml", ["type: actions-workflow", `plan: ${plan}`]), says);
    }, 60_000);
  }

  test("a terraform plan that names nothing", async () => {
    const runner = await addRunner(bed, control);
    const file = write("bad.yaml", ["type: terraform-deploy", "operation: apply", "plan: { terraform: 1 }"]);
    await failsThenGoesOn(runner, file, ["the plan cannot be read"]);
  }, 60_000);

  test("a type that this version cannot do", async () => {
    const runner = await addRunner(bed, control);
    const file = write("bad.yaml", ["type: docker-build", "plan: {}"]);
    await failsThenGoesOn(runner, file, ["docker-build is not built into this version"]);
  }, 60_000);

  const step = (...lines: string[]) => [
    "type: actions-workflow",
    "spec:",
    "  steps:",
    "    - name: only",
    ...lines.map((line) => `      ${line}`),
  ];

  test("a git repository that cannot be reached", async () => {
    const runner = await addRunner(bed, control);
    const url = `https://127.0.0.1:${freePort()}/some/repository.git`;
    const file = write("bad.yaml", step(`source: { git: { url: "${url}" } }`, "command: ./x"));
    await failsThenGoesOn(runner, file, [
      /git .* of https:\/\/127\.0\.0\.1:\d+\/some\/repository\.git failed/,
      "it cannot be reached",
      "check the address",
    ]);
  }, 90_000);

  test("a program that is not there", async () => {
    const runner = await addRunner(bed, control);
    const file = write("bad.yaml", step("command: no-such-program --x"));
    await failsThenGoesOn(runner, file, ["no-such-program"]);
  }, 60_000);

  test("no terraform on PATH, none in the cache, and a mirror that is closed", async () => {
    mkdirSync(bed.path("empty"));
    const mirror = `http://127.0.0.1:${freePort()}`;
    const env = { PATH: bed.path("empty"), RUNNER_TOOLS_MIRROR: mirror };
    const runner = await addRunner(bed, control, { env });
    mkdirSync(bed.path("module"));
    writeFileSync(bed.path("module", "main.tf"), 'output "x" { value = 1 }\n');
    const file = write("bad.yaml", [
      "type: terraform-deploy",
      "spec: { source: { path: ./module }, version: 1.11.4, workspace: w }",
    ]);
    await failsThenGoesOn(runner, file, [
      "terraform 1.11.4 was not found: PATH has none",
      mirror,
      "install terraform 1.11.4",
    ]);
  }, 90_000);

  test("no git on PATH", async () => {
    mkdirSync(bed.path("empty"));
    const runner = await addRunner(bed, control, { env: { PATH: bed.path("empty") } });
    const file = write("bad.yaml", step('source: { git: { url: "https://127.0.0.1:1/x.git" } }', "command: ./x"));
    await failsThenGoesOn(runner, file, ["git was not found", "install git"]);
  }, 60_000);

  test("an empty PATH does not stop a script that needs none of it", async () => {
    mkdirSync(bed.path("empty"));
    await addRunner(bed, control, { env: { PATH: bed.path("empty") } });
    const file = write("sh.yaml", step("run: |", '  echo "answer=42" >> "$RUNNER_OUTPUT"'));
    const doc = await control.ended(await control.submit(file));
    expect([doc.status, doc.outputs?.answer]).toEqual(["finished", "42"]);
  }, 60_000);

  test("outputs that cannot be read", async () => {
    const runner = await addRunner(bed, control);
    const sample = action(bed, { body: 'echo "key<<END" >> "$RUNNER_OUTPUT"\n' });
    await failsThenGoesOn(runner, sample.file, ['step "first"']);
  }, 60_000);
});

describe("a foreign control plane that sends what nobody can work", () => {
  let server: NuonServer;
  beforeEach(async () => {
    server = await startNuonServer();
  });
  afterEach(() => server.stop());

  const logOf = (job: TestJob): string =>
    server.logs
      .map((one) => Bun.inspect(one, { depth: 12 }))
      .filter((text) => text.includes(job.id))
      .join("\n");
  const executionOf = (job: TestJob) => server.executions.find((one) => one.jobId === job.id);

  test("plans malformed, cut off, empty, missing or too large, and unknown types: failed with a reason, the runner lives on", async () => {
    const deploy = { type: "terraform-deploy", group: "deploy", operation: "apply-plan" } as const;
    const whole = JSON.stringify({ app_id: "a", app_config_id: "c", component_id: "k", terraform: {} });
    const bad: Readonly<Record<string, readonly [Partial<TestJob> & { plan?: string }, RegExp]>> = {
      malformed: [{ ...deploy, plan: "{not json" }, /the plan cannot be read: it is not one complete JSON document/],
      "cut off": [{ ...deploy, plan: whole.slice(0, -9) }, /not one complete JSON document/],
      "of a wrong type": [{ ...deploy, plan: '{"terraform":"yes"}' }, /the plan cannot be read: terraform/],
      empty: [{ ...deploy, plan: "" }, /the plan cannot be read/],
      missing: [deploy, /the plan cannot be read/],
      "too large": [
        { ...deploy, plan: `{"x":"${"y".repeat(65 * 2 ** 20)}"}` },
        /the plan cannot be read: .*larger than 67108864 bytes; Check what made this job/,
      ],
      "an unknown type": [{ type: "quantum-deploy", group: "deploy" }, /quantum-deploy is not built into this version/],
      "a type not built in": [{ type: "docker-build", group: "build", plan: "{}" }, /docker-build is not built into/],
    };
    const jobs = Object.entries(bad).map(([what, [fields, says]]) => ({ what, says, job: server.addJob(fields) }));
    const good = server.addJob({ type: "noop", group: "operations" });
    const runner = bed.spawn(["run", "--state-dir", bed.path("state"), "--concurrency", "deploy=8"], {
      RUNNER_API_URL: server.url,
      RUNNER_ID: server.runnerId,
      RUNNER_API_TOKEN: server.token,
    });
    const ended = () => jobs.every(({ job }) => ["failed", "finished"].includes(executionOf(job)?.status ?? ""));
    await until("all of them have ended", () => ended() && executionOf(good)?.status === "finished", 60_000);
    for (const { what, job, says } of jobs) {
      expect([what, executionOf(job)?.status]).toEqual([what, "failed"]);
      expect(executionOf(job)?.statuses.filter((one) => one === "failed")).toHaveLength(1);
      await until(`${what}: its reason is told`, () => says.test(logOf(job)), 5_000);
    }
    const later = server.addJob({ type: "noop", group: "operations" });
    await until("a later job is done", () => executionOf(later)?.status === "finished", 30_000);
    expect(runner.alive()).toBe(true);
    const folder = bed.path("state", "executions");
    expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([]);
  }, 120_000);

  test("a token that it does not know: exit code 3 and what to check", async () => {
    const { code, stderr } = await bed.run(["run", "--state-dir", bed.path("state")], {
      RUNNER_API_URL: server.url,
      RUNNER_ID: server.runnerId,
      RUNNER_API_TOKEN: "wrong-token-of-nobody",
    });
    expect(code).toBe(3);
    expect(stderr).toContain("RUNNER_API_TOKEN");
    expect(stderr).not.toContain("wrong-token-of-nobody");
  }, 60_000);
});
