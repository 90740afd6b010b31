import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { addRunner, type Control, startControl } from "../faults/lib/control.ts";
import { action } from "../faults/lib/jobs.ts";
import { type Bed, makeBed, until } from "../faults/lib/processes.ts";
import { startOtlpReceiver } from "../lib/otlp-receiver.ts";

let bed: Bed;
let control: Control;
beforeEach(async () => {
  bed = makeBed();
  control = await startControl(bed);
});
afterEach(() => bed.end());

const settings = async (...args: string[]) => {
  const { code, stdout, stderr } = await bed.run(["runners", "settings", ...args, "--json"], control.admin());
  if (code !== 0) throw new Error(`${code}: ${stderr}`);
  return JSON.parse(stdout);
};

/** Runs the same job again and answers its log. */
const logOf = async (file: string): Promise<string> => {
  const id = await control.submit(file);
  await control.ended(id);
  return control.log(id);
};

describe("settings that an operator changes", () => {
  test("reach a running runner without a restart: log level, log switch, and back", async () => {
    const runner = await addRunner(bed, control);
    const sample = action(bed, { body: 'echo "from the tool"\nsleep 60\n', timeout: "1s" });
    expect(await logOf(sample.file)).toContain("sent SIGTERM");
    await settings(runner.id, "--set", "logging_level=error");
    await until("lines below the level stay out", async () => !(await logOf(sample.file)).includes("sent SIGTERM"));
    const strict = await logOf(sample.file);
    expect(strict).toContain("from the tool");
    expect(strict).toContain("longer than its timeout");
    await settings(runner.id, "--set", "enable_logging=false", "--reason", "too chatty");
    await until("no log is kept", async () => (await logOf(sample.file)) === "");
    expect(await settings(runner.id, "--unset", "enable_logging,logging_level")).toMatchObject({
      own: {},
      effective: {},
    });
    await until("the log is back", async () => (await logOf(sample.file)).includes("from the tool"));
    const shown = await bed.run(["audit", "list", "--json"], control.admin());
    expect(shown.stdout).toContain(`"path":"/api/v1/runners/${runner.id}/settings"`);
    expect(shown.stdout).toContain('"reason":"too chatty"');
  }, 90_000);

  test("switch the pushing of metrics off and on while the runner works", async () => {
    const collector = startOtlpReceiver();
    const runner = await addRunner(bed, control, {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_METRIC_EXPORT_INTERVAL: "50" },
    });
    const pushes = () => collector.requests.filter(({ path }) => path === "/v1/metrics").length;
    await until("metrics come", () => pushes() > 2);
    await settings("--set", "enable_metrics=false");
    await until("it is told", () => runner.proc.stderr().includes("no metrics are pushed"));
    const still = pushes();
    await settings(runner.id, "--set", "enable_metrics=true");
    await until("metrics come again", () => pushes() > still);
    expect(collector.metrics.get("runner_jobs_total")).toBeUndefined();
    expect(collector.metrics.get("process_resident_memory_bytes")?.values[0]?.value).toBeGreaterThan(1_000_000);
    collector.stop();
  }, 60_000);

  test("of one runner go before those of all; what is no setting, or no value of one, is refused by name", async () => {
    const { id } = await control.createRunner("one");
    await settings("--set", "logging_level=warn,container_image_tag=v9");
    expect(await settings(id, "--set", "logging_level=debug")).toEqual({
      runner_id: id,
      own: { logging_level: "DEBUG" },
      effective: { logging_level: "DEBUG", container_image_tag: "v9" },
    });
    const wrong = await bed.run(["runners", "settings", id, "--set", "loging_level=warn"], control.admin());
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("logging_level")]);
    const value = await bed.run(["runners", "settings", "--set", "sandbox_mode=perhaps"], control.admin());
    expect([value.code, value.stderr]).toEqual([2, expect.stringContaining("sandbox_mode")]);
    expect((await bed.run(["runners", "settings", "runnone"], control.admin())).code).not.toBe(0);
  }, 60_000);

  test("name another version: the runner says so once, and the list of runners shows it", async () => {
    const runner = await addRunner(bed, control);
    await settings("--set", "container_image_tag=v99");
    await until("it is told", () => runner.proc.stderr().includes("name another version"));
    await settings("--set", "logging_level=INFO");
    const { stdout } = await bed.run(["runners", "list"], control.admin());
    expect(stdout).toContain("(wanted: v99)");
    expect(runner.proc.stderr().match(/name another version/g)).toHaveLength(1);
  }, 60_000);
});
