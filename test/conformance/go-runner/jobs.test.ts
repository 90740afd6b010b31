import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { JobShow } from "../../../internal/protocol/operator.ts";
import { type GoBed, startGoBed, until } from "./lib/bed.ts";

/** Jobs of the Go runner from poll to finished, each seen afterwards through the operator API (2.18, 5.4, 5.5, 12.1). */
let bed: GoBed;
beforeAll(async () => {
  bed = await startGoBed();
});
afterAll(() => bed.end());

const happened = (doc: JobShow, what: string) => doc.events.filter((event) => event.what === what);

/** A runner of its own works on one job; its view and the operator's. */
async function run(job: object) {
  const identity = await bed.identity();
  const id = await bed.submit(job, identity.id);
  const runner = await bed.start(identity);
  await until("the job was worked", () => runner.worked.length > 0);
  const [worked] = runner.worked;
  if (worked === undefined) throw new Error("no job was worked");
  return { id, runner, worked, doc: await bed.show(id) };
}

describe("a job of the Go runner", () => {
  for (const type of ["noop", "noop-deploy", "noop-build", "noop-sync", "health-check"]) {
    test(`${type} goes from poll to finished, with its outputs, its log and one event for each change`, async () => {
      const { id, runner, worked, doc } = await run({ type });
      expect(worked.ended).toBe("finished");
      expect(runner.errors).toEqual([]);
      expect(doc).toMatchObject({ status: "finished", reason: "", runner_id: expect.any(String) });
      expect(doc.outputs).toEqual(type === "health-check" ? { job_loops: expect.any(Object) } : {});
      for (const what of ["queued", "available", "in-progress", "finished", "cleanup"]) {
        expect({ what, times: happened(doc, what).length }).toEqual({ what, times: 1 });
      }
      expect(worked.exports.every((status) => status === 201)).toBe(true);
      const log = await bed.log(id);
      expect(log).toContain("creating job execution\ngetting job handler\nexecuting job step resetting\n");
      expect(log).toContain("finished job\n");
    }, 20_000);
  }

  test("of a type it has no handler for is reserved and reported failed, once", async () => {
    const { doc, worked } = await run({ type: "job-deploy", plan: {} });
    expect(worked.ended).toBe("failed");
    expect(doc.status).toBe("failed");
    expect(happened(doc, "failed")).toHaveLength(1);
  });

  test("with result and outputs of a noop-build keeps the result that came after the outputs", async () => {
    const { doc } = await run({ type: "noop-build" });
    expect(doc.executions[0]?.result).toMatchObject({ success: true });
  });

  test("is read once a second while it works and stays readable", async () => {
    const identity = await bed.identity();
    await bed.submit({ type: "noop" }, identity.id);
    const runner = await bed.start(identity, { pace: 1.3 });
    await until("the job was worked", () => runner.worked.length > 0);
    expect(runner.worked[0]?.seen).toEqual(["in-progress", "in-progress"]);
  }, 20_000);
});

describe("an action of the Go runner", () => {
  const ACTION = {
    type: "actions-workflow",
    name: "two-steps",
    spec: {
      env: { LAYER: "job", ONLY_JOB: "1" },
      steps: [
        {
          name: "first",
          env: { LAYER: "step", GREETING: "hello" },
          run: [
            "#!/bin/sh",
            "set -eu",
            'echo "out: $GREETING $LAYER $ONLY_JOB"',
            'echo "err line" >&2',
            `echo '{"answer": 42, "nested": {"a": [1, 2]}}' >> "$NUON_ACTIONS_OUTPUT_FILEPATH"`,
            'echo "key=value=with=equals" >> "$NUON_ACTIONS_OUTPUT_FILEPATH"',
            "",
          ].join("\n"),
        },
        {
          name: "second",
          run: 'echo "layer=$LAYER" >> "$NUON_ACTIONS_OUTPUT_FILEPATH"\necho "kube=$NUON_KUBECONFIG_ENABLED"\n',
        },
        { name: "third", command: "env printf %s-%s a b" },
      ],
    },
  };

  test("runs its steps in order with both layers of env, and its outputs, steps and log arrive whole", async () => {
    const { id, runner, doc, worked } = await run(ACTION);
    expect(runner.errors).toEqual([]);
    expect(worked.ended).toBe("finished");
    expect(doc.status).toBe("finished");
    expect(doc.outputs).toEqual({
      answer: 42,
      nested: { a: [1, 2] },
      key: "value=with=equals",
      layer: "job",
      steps: {
        first: { answer: 42, nested: { a: [1, 2] }, key: "value=with=equals" },
        second: { layer: "job" },
        third: {},
      },
    });
    expect(doc.steps.map(({ name, status }) => [name, status])).toEqual([
      ["first", "finished"],
      ["second", "finished"],
      ["third", "finished"],
    ]);
    for (const step of ["first", "second", "third"]) {
      expect(happened(doc, `step:${step}`).map((event) => event.why)).toEqual(["in-progress", "finished"]);
    }
    const lines = await bed.logLines(id);
    const line = (text: string) => lines.find((one) => one.text === text);
    expect(line("out: hello step 1")).toMatchObject({ severity: "info", source: "tool", step: "first" });
    expect(line("err line")).toMatchObject({ severity: "error", step: "first" });
    expect(line("kube=false")).toMatchObject({ step: "second" });
    expect(line("a-b")).toMatchObject({ step: "third" });
  }, 20_000);

  test("that fails in its first step is failed, its later steps are shown as they were reported", async () => {
    const steps = [
      { name: "bad", run: "#!/bin/sh\nexit 3\n" },
      { name: "never", run: "#!/bin/sh\necho never\n" },
    ];
    const { doc } = await run({ type: "actions-workflow", name: "exit-3", spec: { steps } });
    expect(doc).toMatchObject({ status: "failed", reason: "step bad: error" });
    expect(doc.steps.map(({ name, status }) => [name, status])).toEqual([
      ["bad", "error"],
      ["never", "error"],
    ]);
    expect(doc.outputs).toBeNull();
  }, 20_000);

  test("has run, config and plan documents whose i-th steps are the same step, and a time limit within its job's", async () => {
    const identity = await bed.identity();
    const sdk = bed.sdk(identity);
    await sdk.jobs(identity.id, "actions");
    await bed.submit(ACTION, identity.id);
    const [job] = await sdk.jobs(identity.id, "actions");
    await sdk.reserve(String(job?.id));
    const plan = JSON.parse(await sdk.plan(String(job?.id)));
    const run = await sdk.actionRun(plan.install_id, plan.id);
    const config = await sdk.actionConfig(String(run.action_workflow_config_id));
    const runSteps = run.steps as { id: string; step_id: string }[];
    const configSteps = config.steps as { id: string; name: string; idx: number; inline_contents: string }[];
    expect(runSteps.map((step) => step.id)).toEqual(plan.steps.map((step: { run_id: string }) => step.run_id));
    expect(runSteps.map((step) => step.step_id)).toEqual(configSteps.map((step) => step.id));
    expect(configSteps.map((step) => step.idx ?? 0)).toEqual([0, 1, 2]);
    expect(configSteps.map((step) => step.name)).toEqual(["first", "second", "third"]);
    expect(configSteps.map((step) => step.inline_contents ?? "")).toEqual(
      plan.steps.map((step: { interpolated_inline_contents: string }) => step.interpolated_inline_contents),
    );
    expect(configSteps[1]?.inline_contents).toStartWith("#!");
    expect(config.timeout as number).toBeGreaterThan(0);
    expect(config.timeout as number).toBeLessThanOrEqual(job?.execution_timeout as number);
    expect(job?.metadata).toMatchObject({ install_id: plan.install_id, action_workflow_run_id: plan.id });
  });
});

describe("a shut-down of the Go runner", () => {
  for (const how of ["graceful", "force"]) {
    test(`that is ${how} is finished once, however often the process says so`, async () => {
      const identity = await bed.identity();
      const id = await bed.submit({ type: "shut-down", spec: { shutdown_type: how } }, identity.id);
      const runner = await bed.start(identity);
      await runner.ended;
      const doc = await bed.reaches(id, "finished");
      expect(happened(doc, "finished")).toHaveLength(1);
      expect(runner.errors).toEqual([]);
      await Bun.sleep(1_200);
      expect((await bed.show(id)).status).toBe("finished");
    }, 20_000);
  }
});

describe("what the Go runner repeats", () => {
  async function reserved() {
    const identity = await bed.identity();
    const sdk = bed.sdk(identity);
    await sdk.jobs(identity.id, "operations");
    const job = await bed.submit({ type: "noop" }, identity.id);
    const [offered] = await sdk.jobs(identity.id, "operations");
    expect(offered?.id).toBe(job);
    const execution = String((await sdk.reserve(job)).id);
    return { sdk, job, execution };
  }

  test("eleven equal PATCHes in a burst, a second finished and a late failed are all 200 and one outcome", async () => {
    const { sdk, job, execution } = await reserved();
    await Promise.all(Array.from({ length: 11 }, () => sdk.patchExecution(job, execution, "initializing")));
    await Promise.all(Array.from({ length: 11 }, () => sdk.patchExecution(job, execution, "finished")));
    await sdk.patchExecution(job, execution, "finished");
    await sdk.patchExecution(job, execution, "failed");
    await sdk.patchJob(job, "finished");
    const doc = await bed.show(job);
    expect(doc.status).toBe("finished");
    expect(happened(doc, "finished")).toHaveLength(1);
    expect(happened(doc, "failed")).toHaveLength(0);
  });

  test("a result twice, without success, without contents and outputs null are all taken and kept", async () => {
    const { sdk, job, execution } = await reserved();
    const failure = {
      error_metadata: { handler: "oci-sync", job_type: "oci-sync", step: "copy image", message: "no\nroute" },
    };
    expect(await sdk.result(job, execution, failure)).toEqual({});
    expect(await sdk.result(job, execution, failure)).toEqual({});
    await sdk.outputs(job, execution, null);
    await sdk.outputs(job, execution, null);
    await sdk.patchExecution(job, execution, "failed");
    const doc = await bed.show(job);
    expect(doc).toMatchObject({ status: "failed", reason: "no route", outputs: null });
    expect(doc.executions[0]?.result).toMatchObject(failure);
    expect((await sdk.job(job)).outputs).toBeNull();
  });

  test("two success results with contents within a millisecond keep the contents", async () => {
    const { sdk, job, execution } = await reserved();
    const result = { contents_compressed: "aGVsbG8-", contents_display_compressed: "aGVsbG8_", success: true };
    const kept = { success: true, contents_bytes: 6 };
    await Promise.all([sdk.result(job, execution, result), sdk.result(job, execution, result)]);
    await sdk.result(job, execution, { error_metadata: { message: "afterwards" } });
    await sdk.patchExecution(job, execution, "finished");
    expect((await bed.show(job)).executions[0]?.result).toMatchObject(kept);
  });

  test("a status the job is past never moves it back", async () => {
    const { sdk, job, execution } = await reserved();
    for (const status of ["in-progress", "cleaning-up"]) await sdk.patchExecution(job, execution, status);
    expect((await sdk.patchExecution(job, execution, "initializing")).status).toBe("cleaning-up");
    await sdk.patchExecution(job, execution, "finished");
  });
});
