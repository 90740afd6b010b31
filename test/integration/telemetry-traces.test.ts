import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { addRunner, startControl } from "../faults/lib/control.ts";
import { action, terraform, terraformTest } from "../faults/lib/jobs.ts";
import { type Bed, makeBed, until } from "../faults/lib/processes.ts";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "../lib/otlp-receiver.ts";

let bed: Bed;
let collector: OtlpReceiver;
beforeEach(() => {
  bed = makeBed();
  collector = startOtlpReceiver();
});
afterEach(async () => {
  await bed.end();
  collector.stop();
});

const env = (more: Record<string, string> = {}) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  OTEL_BSP_SCHEDULE_DELAY: "100",
  ...more,
});

/** Both halves as processes of their own, telling the collector. */
async function plane(more: Record<string, string> = {}) {
  const control = await startControl(bed, { env: env(more) });
  const runner = await addRunner(bed, control, { env: env(more) });
  return { control, runner };
}

const job = (id: string) => collector.spans.filter((span) => span.attributes["job.id"] === id || inTraceOf(id, span));
const traceOf = (id: string) => collector.spans.find((span) => span.attributes["job.id"] === id)?.traceId ?? "";
const inTraceOf = (id: string, span: ReceivedSpan) => span.traceId === traceOf(id);

/** `a > b > c`: the way from the root to each span. */
function paths(spans: readonly ReceivedSpan[]): string[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const path = (span: ReceivedSpan): string => {
    const parent = byId.get(span.parentSpanId);
    return parent ? `${path(parent)} > ${span.name}` : span.name;
  };
  return spans.map(path).sort();
}

/** The runner's span of an execution: the last that it tells. */
const CONSUMER = 5;

const complete = (id: string) =>
  until("the trace is whole", () => {
    const spans = job(id);
    const known = new Set(spans.map((span) => span.spanId));
    return (
      spans.some((span) => span.kind === CONSUMER) &&
      spans.every((span) => !span.parentSpanId || known.has(span.parentSpanId))
    );
  });

describe("the trace of a job", () => {
  test("is one tree over both halves: job, execution, lifecycle steps, steps of the work, tools, requests", async () => {
    const { control } = await plane();
    const sample = action(bed, {});
    sample.release();
    const id = await control.submit(sample.file);
    await control.ended(id);
    await complete(id);
    const spans = job(id);
    expect(new Set(spans.map((span) => span.traceId)).size).toBe(1);
    const tree = paths(spans);
    const execution = "job actions-workflow > execution > actions-workflow exec";
    for (const path of [
      "job actions-workflow",
      "job actions-workflow > queued",
      "job actions-workflow > execution",
      execution,
      `${execution} > execute`,
      `${execution} > report`,
      `${execution} > execute > first`,
      `${execution} > execute > second`,
      `${execution} > execute > first > run`,
      `${execution} > report > POST completions`,
    ])
      expect(tree).toContain(path);
    expect(tree.filter((path) => path.endsWith("POST logs")).length).toBeGreaterThan(0);
    expect(spans.filter((span) => span.status.code !== 0)).toEqual([]);
    const root = spans.find((span) => span.parentSpanId === "");
    for (const span of spans) {
      expect(span.endNs).toBeGreaterThanOrEqual(span.startNs);
      if (root && span.name !== "cleanup") expect(span.startNs).toBeGreaterThanOrEqual(root.startNs - 1_000_000n);
    }
    expect(new Set(spans.map((span) => span.resource["service.name"]))).toEqual(
      new Set(["runner", "runner-coordinator"]),
    );
  }, 60_000);

  terraformTest(
    "of terraform has its programs with code and redacted arguments, and no value that is secret",
    async () => {
      const { control } = await plane({
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
      });
      const sample = terraform(bed, {});
      sample.release();
      const change = await control.submit(sample.file);
      const shown = await control.ended(change);
      for (const one of shown.jobs) await complete(one.id);
      const tools = collector.spans.filter((span) => span.attributes["process.executable.name"] === "terraform");
      const subcommands = tools.map((span) => (span.attributes["process.command_args"] as string[])[1]);
      expect(subcommands).toEqual(expect.arrayContaining(["init", "plan", "apply"]));
      // A plan with changes exits with 2, which is no failure.
      expect(tools.filter((span) => span.status.code !== 0)).toEqual([]);
      expect(new Set(tools.map((span) => span.attributes["process.exit.code"]))).toEqual(new Set([0, 2]));
      const plan = shown.jobs.flatMap((one) => paths(job(one.id)));
      expect(plan).toContain(
        "job terraform-deploy > execution > terraform-deploy create-apply-plan > execute > plan > terraform",
      );
      const { RUNNER_ADMIN_KEY = "" } = control.admin();
      expect(collector.text()).not.toContain(RUNNER_ADMIN_KEY);
      expect(collector.text()).not.toContain("TF_HTTP_PASSWORD");
    },
    120_000,
  );

  test("tells what failed and why; a secret of the job is in none of it", async () => {
    const { control } = await plane();
    const file = bed.path("secret.yaml");
    writeFileSync(
      file,
      `type: actions-workflow
name: secret
spec:
  env: { TOKEN: { env: DEMO } }
  steps:
    - { name: first, command: sh -c "echo hunter2-swordfish; exit 7" }
`,
    );
    const id = await control.submit(file, undefined, { DEMO: "hunter2-swordfish" });
    await control.ended(id);
    await complete(id);
    const failed = new Map(
      job(id).flatMap((span) => (span.status.code === 2 ? [[span.name, span.status.message]] : [])),
    );
    expect(failed.get("sh")).toBe("sh exited with 7");
    for (const name of ["job actions-workflow", "execution", "actions-workflow exec", "execute", "first"])
      expect(failed.get(name)).toBeTruthy();
    const tool = job(id).find((span) => span.name === "sh");
    expect(tool?.attributes["process.command_args"]).toEqual([
      expect.stringMatching(/\/sh$/),
      "-c",
      "echo [redacted]; exit 7",
    ]);
    expect(collector.text()).not.toContain("hunter2");
  }, 60_000);

  test("goes on over kill -9 of the runner: the same trace, the tool that lived through it once", async () => {
    const { control, runner } = await plane();
    const sample = action(bed, { wait: true });
    const id = await control.submit(sample.file);
    await until("the step works", () => sample.traces().length === 1);
    await runner.restart(env());
    sample.release();
    await control.ended(id);
    await complete(id);
    const spans = job(id);
    expect(new Set(spans.map((span) => span.traceId)).size).toBe(1);
    const tools = spans.filter((span) => span.attributes["job.tool.key"] === "step-0");
    expect(tools).toHaveLength(1);
    expect(paths(spans)).toContain("job actions-workflow > execution > actions-workflow exec > execute > first > run");
  }, 60_000);
});

test("without the standard variables nothing is sent, and OTEL_SDK_DISABLED outweighs them", async () => {
  await plane({ OTEL_SDK_DISABLED: "true" });
  const sample = action(bed, {});
  sample.release();
  expect((await bed.run(["run-local", sample.file], env({ OTEL_SDK_DISABLED: "true" }))).code).toBe(0);
  expect((await bed.run(["run-local", sample.file])).code).toBe(0);
  expect(collector.requests).toEqual([]);
}, 60_000);
