import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { addRunner, type Control, cleanAfter, startControl, write } from "../faults/lib/control.ts";
import { action, terraform, terraformTest } from "../faults/lib/jobs.ts";
import { type Bed, makeBed, until } from "../faults/lib/processes.ts";
import { startNuonServer } from "../lib/nuon-server.ts";

let bed: Bed;
beforeEach(() => {
  bed = makeBed();
});
afterEach(() => bed.end());

/** A policy only its owner can write, whatever the umask of the machine. */
function policy(name: string, fallback: "allow" | "deny", ...rules: readonly string[]): string {
  const list = rules.length === 0 ? "" : `rules:\n${rules.map((rule) => `  - ${rule}\n`).join("")}`;
  const file = bed.path(name);
  writeFileSync(file, `version: 1\ndefault: ${fallback}\n${list}`, { mode: 0o600 });
  return file;
}

const script = (name: string, language: string, code: string, more = "") =>
  write(bed, name, `type: script\nname: s\nspec: { language: ${language}, code: ${JSON.stringify(code)}${more} }\n`);

const NO_SHELL = "{ name: no-shell, effect: deny, reason: nobody reads it, when: { commands: ['script shell'] } }";
const KEEP =
  "{ name: keep, effect: deny, reason: ask first, when: { terraform: { resources: [terraform_*], actions: [delete] } } }";

describe("a job that the policy of the machine refuses", () => {
  test("is not run: exit code 4, and the reason names the rule", async () => {
    const rules = policy("policy.yaml", "allow", NO_SHELL);
    const job = script("job.yaml", "shell", `touch ${bed.path("ran")}`);
    const { code, stdout } = await bed.run(["run-local", "--policy", rules, "--json", job]);
    expect(code).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({ status: "failed", exit_code: 4, steps: [] });
    expect(JSON.parse(stdout).reason).toBe(
      'refused by the policy of this runner: rule no-shell: nobody reads it (command "script shell")',
    );
    expect(existsSync(bed.path("ran"))).toBe(false);
    const other = script("other.yaml", "node", "console.log(1)");
    expect((await bed.run(["run-local", "--policy", rules, other])).code).toBe(0);
  }, 60_000);

  test("is refused before anything of it is fetched", async () => {
    let asked = 0;
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(String(asked++)) });
    const source = `, source: { git: { url: "http://127.0.0.1:${server.port}/acme/app" } }`;
    const job = write(bed, "job.yaml", `type: script\nspec: { language: node, file: x.js${source} }\n`);
    const rules = policy(
      "policy.yaml",
      "deny",
      "{ name: a, effect: allow, when: { sources: [{ git: 'github.com/**' }] } }",
    );
    const { code, stdout } = await bed.run(["run-local", "--policy", rules, "--json", job]);
    server.stop(true);
    expect(code).toBe(4);
    expect(JSON.parse(stdout).reason).toContain("no rule allows this script job");
    expect(asked).toBe(0);
  }, 60_000);

  test("is refused by `policy test` for the same reason, rule by rule", async () => {
    const rules = policy("policy.yaml", "allow", NO_SHELL);
    const job = script("job.yaml", "shell", "true");
    const refused = await bed.run(["policy", "test", rules, job, "--json"]);
    expect(refused.code).toBe(4);
    expect(JSON.parse(refused.stdout)).toMatchObject({
      verdict: "deny",
      stages: [{ operation: "exec", rule: "no-shell", rules: [{ rule: "no-shell", applies: "decides" }] }],
    });
    expect((await bed.run(["policy", "test", rules, job])).stdout).toContain("exec: refused by rule no-shell");
    const windows = policy(
      "w.yaml",
      "deny",
      "{ name: day, effect: allow, when: { times: [{ from: '08:00', to: '18:00', zone: UTC }] } }",
    );
    const at = async (time: string) => (await bed.run(["policy", "test", windows, job, "--at", time])).code;
    expect(await at("2026-11-20T12:00:00Z")).toBe(0);
    expect(await at("2026-11-20T19:00:00Z")).toBe(4);
    expect(await at("noon")).toBe(2);
  }, 60_000);

  test("ends `submit --wait` with 4, and the audit trail names the rule", async () => {
    const control = await startControl(bed);
    const runner = await addRunner(bed, control, { flags: ["--policy", policy("policy.yaml", "allow", NO_SHELL)] });
    const job = script("job.yaml", "shell", "true");
    const done = await bed.run(["job", "submit", "-f", job, "--wait", "--json"], control.admin());
    expect(done.code).toBe(4);
    const shown = await control.show(JSON.parse(done.stdout).job);
    expect(shown.executions).toMatchObject([{ status: "failed", code: "policy" }]);
    await cleanAfter(bed, control, runner);
    const last = readFileSync(`${runner.stateDir}/audit.jsonl`, "utf8").trim().split("\n").at(-1) ?? "";
    expect(JSON.parse(last)).toMatchObject({ event: "job", outcome: "failed", policy: "no-shell", programs: 0 });
  }, 60_000);
});

describe("a policy and a Nuon server", () => {
  test("its job is refused once the plan is read, before any other document is asked for", async () => {
    const server = await startNuonServer();
    try {
      const steps = [{ run_id: "s1", interpolated_command: "curl https://evil.example", interpolated_env_vars: {} }];
      server.addJob({
        type: "actions-workflow",
        group: "actions",
        metadata: { install_id: "inl1", action_workflow_id: "acw1" },
        plan: JSON.stringify({ id: "iar1", install_id: "inl1", steps }),
      });
      const rules = policy(
        "policy.yaml",
        "deny",
        "{ name: ours, effect: allow, when: { commands: ['./deploy.sh *'] } }",
      );
      bed.spawn(["run", "--dialect", "nuon", "--state-dir", bed.path("state"), "--policy", rules], {
        RUNNER_API_URL: server.url,
        RUNNER_ID: server.runnerId,
        RUNNER_API_TOKEN: server.token,
      });
      await until("the job has ended", () => server.executions[0]?.status === "failed", 30_000);
      expect(server.of("GET /v1/installs/*/action-workflows/runs/*")).toEqual([]);
      const trail = () => readFileSync(bed.path("state", "audit.jsonl"), "utf8");
      await until("the trail tells it", () => trail().includes('"event":"job"'));
      expect(trail()).toContain("no rule allows this actions-workflow job (exec)");
      expect(trail()).toContain('"programs":0');
    } finally {
      await bed.end();
      await server.stop();
    }
  }, 60_000);
});

describe("a policy that cannot be used", () => {
  test.each([
    ["is not there", null],
    ["is empty", ""],
    ["is no policy", "version: 1\ndefault: maybe\n"],
  ])(
    "at the start: it %s, exit code 2, and no job is taken",
    async (_what, text) => {
      const control = await startControl(bed);
      const sample = action(bed, {});
      sample.release();
      const id = await control.submit(sample.file);
      if (text !== null) writeFileSync(bed.path("policy.yaml"), text, { mode: 0o600 });
      const runner = await addRunner(bed, control, { flags: ["--policy", bed.path("policy.yaml")] });
      expect(await runner.proc.exited).toBe(2);
      expect(runner.proc.stderr()).toContain("policy");
      expect((await control.show(id)).executions).toEqual([]);
    },
    60_000,
  );

  test("once it is changed leaves the former one in force, loudly; the next good one takes over", async () => {
    const control = await startControl(bed);
    const rules = policy("policy.yaml", "allow", NO_SHELL);
    const runner = await addRunner(bed, control, { flags: ["--policy", rules] });
    const job = script("job.yaml", "shell", "true");
    const statusOf = async () => (await control.ended(await control.submit(job))).status;
    expect(await statusOf()).toBe("failed");
    writeFileSync(rules, "version: 1\ndefault: alow\n");
    expect(await statusOf()).toBe("failed");
    expect(runner.proc.stderr()).toContain("the policy cannot be used any more; what it said before stays in force");
    policy("policy.yaml", "allow");
    expect(await statusOf()).toBe("finished");
  }, 60_000);
});

describe("a policy and a restart", () => {
  test("what was admitted goes on after `kill -9`, though the policy would refuse it now", async () => {
    const control = await startControl(bed);
    const rules = policy("policy.yaml", "allow");
    const runner = await addRunner(bed, control, { flags: ["--policy", rules] });
    const sample = action(bed, { wait: true });
    const id = await control.submit(sample.file);
    await until("the work has begun", () => sample.traces().includes("begin"));
    await runner.proc.kill9();
    policy("policy.yaml", "deny");
    await runner.restart();
    sample.release();
    expect((await control.ended(id)).status).toBe("finished");
    expect(sample.traces().filter((line) => line === "worked")).toHaveLength(1);
  }, 60_000);
});

const plansOf = (control: Control, id: string) => control.show(id).then((doc) => doc.jobs.map((job) => job.operation));

describe("what terraform plans", () => {
  terraformTest(
    "is refused in the plan job: nobody is asked to approve it, and nothing is changed",
    async () => {
      const control = await startControl(bed);
      const runner = await addRunner(bed, control, { flags: ["--policy", policy("policy.yaml", "allow", KEEP)] });
      const made = terraform(bed, {});
      expect((await control.ended(await control.submit(made.file))).status).toBe("finished");
      const gone = terraform(bed, { operation: "destroy" });
      const id = await control.submit(gone.file);
      const done = await control.ended(id);
      expect(done.status).toBe("failed");
      expect(done.reason).toContain("rule keep: ask first (resource terraform_data.net (delete))");
      expect(await plansOf(control, id)).toEqual(["create-teardown-plan"]);
      await cleanAfter(bed, control, runner);
    },
    120_000,
  );

  terraformTest(
    "is judged again before it is applied, by what terraform says of the saved plan",
    async () => {
      const control = await startControl(bed);
      const lax = await addRunner(bed, control, { name: "lax" });
      const made = terraform(bed, {});
      expect((await control.ended(await control.submit(made.file))).status).toBe("finished");
      const gone = terraform(bed, { operation: "destroy", approval: true });
      const id = await control.submit(gone.file);
      await until("the plan waits", async () => {
        const { status, events } = await control.show(id);
        return status === "approval-awaiting" && events.some(({ what }) => what === "cleanup");
      });
      await lax.proc.kill9();
      const rules = policy("policy.yaml", "allow", KEEP);
      const strict = await addRunner(bed, control, { name: "strict", flags: ["--policy", rules] });
      expect((await control.post(`/jobs/${id}/approve`, {})).status).toBe(200);
      const done = await control.ended(id);
      expect(done.status).toBe("failed");
      expect(done.executions.at(-1)).toMatchObject({ code: "policy" });
      expect(done.reason).toContain("rule keep: ask first");
      expect(await plansOf(control, id)).toEqual(["create-teardown-plan", "apply-plan"]);
      await cleanAfter(bed, control, strict);
      // What was there is there.
      expect((await control.workspaces())[0]).toMatchObject({ serial: 1, lock: null });
    },
    120_000,
  );
});
