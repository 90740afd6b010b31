import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { planBase } from "../../internal/kit/terraform/plan-base.ts";
import { reasonOf } from "../../internal/protocol/errors.ts";
import { terraformDeploy } from "../../internal/runner/handlers/terraform/terraform-deploy.ts";
import { addRunner, type Control, startControl, write } from "../faults/lib/control.ts";
import { type Bed, makeBed } from "../faults/lib/processes.ts";
import { bed, change, contentsOf, disposeTerraformJobs, job, MODULE, WORKSPACE } from "../lib/terraform-jobs.ts";

const noTerraform = Bun.which("terraform") === null && process.env.CI !== "true";
afterEach(disposeTerraformJobs);

describe.skipIf(noTerraform)("an apply job of real terraform", () => {
  test("refuses a plan that the state has outgrown before any program runs, with no lock left", async () => {
    const at = bed({ "main.tf": MODULE });
    const first = await job(at).run();
    expect(planBase(Buffer.from(contentsOf(first), "base64url"))).toEqual({ serial: 0, lineage: "" });
    await change(at, { block: { vars: { name: "somebody else" } } });
    const late = job(at, { operation: "apply-plan", contents: contentsOf(first) });
    const refused = await late.run();
    expect(refused).toMatchObject({ status: "failed" });
    expect(refused.reason).toMatch(
      /^stale_plan: the plan was made when there was no state, which is at serial \d+ now$/,
    );
    expect(refused.remedy).toContain("submit the job file again");
    expect(late.runs).toEqual([]);
    expect(at.server.locks.size).toBe(0);
    expect(at.server.states.get(WORKSPACE)).toContain("somebody else");
  }, 60_000);

  test("tells a plan that became stale after it was checked as one, and leaves no lock", async () => {
    const at = bed({ "main.tf": MODULE });
    const planned = await job(at).run();
    const late = job(at, { operation: "apply-plan", contents: contentsOf(planned) });
    const ctx = late.context();
    await terraformDeploy.fetch?.(ctx);
    await terraformDeploy.validate?.(ctx);
    await terraformDeploy.initialize?.(ctx);
    await change(at, { block: { vars: { name: "somebody else" } } });
    const error: unknown = await terraformDeploy.execute(ctx).catch((thrown: unknown) => thrown);
    expect(reasonOf(error)).toBe("stale_plan: terraform refused the plan, the state changed since it was made");
    expect(at.server.locks.size).toBe(0);
    expect(at.server.states.get(WORKSPACE)).toContain("somebody else");
  }, 60_000);

  test("refuses a plan of another workspace, and takes the one of its own", async () => {
    const [mine, other] = [bed({ "main.tf": MODULE }), bed({ "main.tf": MODULE })];
    await change(mine);
    await change(other);
    const foreign = await job(other, { block: { vars: { name: "new" } } }).run();
    const harness = job(mine, { operation: "apply-plan", contents: contentsOf(foreign) });
    expect((await harness.run()).reason).toContain("stale_plan: the plan was made on another state (lineage ");
    expect(harness.runs).toEqual([]);
    const own = await change(mine, { block: { vars: { name: "new" } } });
    expect(own.applied.status).toBe("finished");
  }, 60_000);
});

describe.skipIf(noTerraform)("the command line with a coordinator and a runner", () => {
  let at: Bed;
  let control: Control;
  beforeAll(async () => {
    at = makeBed();
    control = await startControl(at);
    await addRunner(at, control);
    mkdirSync(at.path("module"));
    write(at, "module/main.tf", MODULE);
  });
  afterAll(() => at.end());

  const cli = (...args: string[]) => at.run(args, control.admin());
  const apply = (name: string, more = "") => {
    const file = write(
      at,
      `${name}.yaml`,
      `type: terraform-deploy\n${more}spec:\n  source: { path: ./module }\n  workspace: net\n  vars: { name: ${name}, password: "hunter2-${name}" }\n  sensitive: [password]\n`,
    );
    return cli("job", "submit", "-f", file, "--wait", "--json");
  };

  test("shows, compares and restores versions, checks for drift, and refuses what is stale", async () => {
    for (const name of ["first", "second"]) expect((await apply(name)).code).toBe(0);
    const calm = await cli("workspaces", "drift", "net", "--wait", "--json");
    expect([calm.code, JSON.parse(calm.stdout).status]).toEqual([0, "none"]);

    const listed = JSON.parse((await cli("workspaces", "states", "net", "--json")).stdout) as { serial: number }[];
    const [newest = 0, oldest = 0] = [listed[0]?.serial, listed.at(-1)?.serial];
    const diff = await cli("workspaces", "diff", "net", "--from", String(oldest), "--to", String(newest));
    expect(diff.stdout).toContain('~ input  = "hello first" -> "hello second"');
    expect(diff.stdout).toContain("~ secret = (sensitive) -> (sensitive)");
    expect(diff.stdout).not.toContain("hunter2");
    const saved = await cli("workspaces", "state", "net", "--serial", String(oldest));
    expect(JSON.parse(saved.stdout)).toMatchObject({ serial: oldest, outputs: { greeting: { value: "hello first" } } });

    const waits = write(
      at,
      "waits.yaml",
      "type: terraform-deploy\napproval: required\nspec:\n  source: { path: ./module }\n  workspace: net\n",
    );
    const waiting = await control.submit(waits);
    while ((await control.show(waiting)).status !== "approval-awaiting") await Bun.sleep(100);

    const bare = await cli("workspaces", "restore", "net", "--serial", String(oldest));
    expect([bare.code, bare.stderr]).toEqual([2, expect.stringContaining("--why")]);
    const restored = await cli("workspaces", "restore", "net", "--serial", String(oldest), "--why", "second was wrong");
    expect(restored.stdout.trim()).toBe(`serial ${oldest} of net is the current state again, as serial ${newest + 1}`);

    const stale = await cli("job", "approve", waiting, "--why", "looks fine");
    expect(stale.code).toBe(1);
    expect(stale.stderr).toContain(
      `stale_plan: the plan was made on serial ${newest} of the state, which is at serial`,
    );

    const drifted = await cli("workspaces", "drift", "net", "--wait");
    expect(drifted.code).toBe(1);
    expect(drifted.stdout).toContain('~ input  = "hello first" -> "hello second"');
    expect(drifted.stdout).toContain("drifted: nothing was changed outside of terraform; Plan: 0 to add, 1 to change");
    expect(drifted.stdout).not.toContain("hunter2");
    const shown = await cli("workspaces", "show", "net");
    expect(shown.stdout).toContain(`serial ${oldest} restored: second was wrong`);
    expect(shown.stdout).toMatch(/^drift +drifted; nothing was changed/m);
  }, 120_000);

  test("kills a job at its memory limit and says so; a required output that is missing fails it; failures are tried again", async () => {
    const file = write(
      at,
      "limited.yaml",
      "type: actions-workflow\nresources: { memory: 64MiB }\nspec:\n  steps:\n    - name: greedy\n" +
        "      command: dd if=/dev/zero of=/dev/null bs=300M count=1\n",
    );
    const greedy = await cli("job", "submit", "-f", file, "--wait", "--json");
    expect([greedy.code, JSON.parse(greedy.stdout).status]).toEqual([1, "failed"]);
    expect(greedy.stderr).toContain("resources: memory 64 MiB");
    if (greedy.stderr.includes("enforced by a control group")) {
      expect(JSON.parse(greedy.stdout).reason).toStartWith(
        "out of memory: the job's limit is 64 MiB (resources.memory)",
      );
    }

    const wanting = write(
      at,
      "wanting.yaml",
      "type: actions-workflow\nretry: { attempts: 3 }\noutputs: { answer: { required: true }, key: { sensitive: true } }\n" +
        "spec:\n  steps:\n    - { name: out, run: 'echo key=hunter2-key >> \"$RUNNER_OUTPUT\"' }\n",
    );
    const missing = JSON.parse((await cli("job", "submit", "-f", wanting, "--wait", "--json")).stdout);
    expect(missing).toMatchObject({ status: "failed", exit_code: 1 });
    expect(missing.reason).toContain('missing_output: the job file requires "answer"; the work\'s outputs are: key');
    const tried = await control.show(missing.job);
    expect(tried.executions.map(({ status }) => status)).toEqual(["failed", "failed", "failed"]);
  }, 120_000);
});
