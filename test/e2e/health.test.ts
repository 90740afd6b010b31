import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { verifyAudit } from "../../internal/kit/audit/trail-file.ts";
import { addRunner, type Control, startControl } from "../faults/lib/control.ts";
import { action } from "../faults/lib/jobs.ts";
import { type Bed, freePort, makeBed, until } from "../faults/lib/processes.ts";

let bed: Bed;
let control: Control;
beforeEach(async () => {
  bed = makeBed();
  control = await startControl(bed);
});
afterEach(() => bed.end());

const get = async (url: string): Promise<{ status: number; text: string }> => {
  const answer = await fetch(url).catch(() => null);
  return { status: answer?.status ?? 0, text: (await answer?.text()) ?? "" };
};

describe("the runner's health server", () => {
  test("tells whether it lives, is ready, what it runs and what it has counted; a drain makes it not ready", async () => {
    const url = `http://127.0.0.1:${freePort()}`;
    const runner = await addRunner(bed, control, { flags: ["--health-listen", url.slice("http://".length)] });
    await until("it is ready", async () => (await get(`${url}/readyz`)).status === 200);
    expect(await get(`${url}/livez`)).toMatchObject({ status: 200 });
    const sample = action(bed, { wait: true });
    const job = await control.submit(sample.file);
    await until("the step works", () => sample.traces().length === 1);
    const status = JSON.parse((await get(`${url}/status`)).text);
    expect(status).toMatchObject({
      runner: runner.id,
      state: "ready",
      dialect: "native",
      pending_reports: 0,
      executions: [{ type: "actions-workflow", group: "actions", phase: "execute", step: expect.any(String) }],
    });
    expect(status.slots.actions.free).toBe(status.slots.actions.slots - 1);
    expect(Date.parse(status.last_contact_at)).toBeGreaterThan(0);
    runner.proc.signal("SIGTERM");
    await until("it is not ready", async () => (await get(`${url}/readyz`)).status === 503);
    expect((await get(`${url}/readyz`)).text).toContain("draining");
    expect((await get(`${url}/livez`)).status).toBe(200);
    sample.release();
    await control.ended(job);
    expect(await runner.proc.exited).toBe(0);
  }, 60_000);

  test("counts jobs, steps and shipped output in Prometheus text, and the audit trail names what ran", async () => {
    const url = `http://127.0.0.1:${freePort()}`;
    const runner = await addRunner(bed, control, { flags: ["--health-listen", url.slice("http://".length)] });
    const sample = action(bed, {});
    sample.release();
    await control.ended(await control.submit(sample.file));
    const { text } = await get(`${url}/metrics`);
    expect(text).toContain('runner_jobs_total{type="actions-workflow",outcome="finished"} 1\n');
    expect(text).toMatch(/^runner_step_seconds_count\{step="execute"\} 1$/m);
    expect(text).toMatch(/^runner_queue_wait_seconds_count 1$/m);
    expect(text).toMatch(/^runner_build_info\{version="[^"]+",mode="all",dialect="native"\} 1$/m);
    expect(text).toMatch(/^runner_lease_losses_total 0$/m);
    expect(Number(/^runner_log_bytes_total\{fate="shipped"\} (\d+)$/m.exec(text)?.[1])).toBeGreaterThan(0);
    const file = `${runner.stateDir}/audit.jsonl`;
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(verifyAudit(file)).toMatchObject({ ok: true });
    const lines = readFileSync(file, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.at(-1)).toMatchObject({
      event: "job",
      type: "actions-workflow",
      runner: runner.id,
      outcome: "finished",
      plan_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(lines.at(-1).env).toContain("RUNNER_OUTPUT");
    expect(lines.filter((line) => line.event === "program")).toHaveLength(lines.at(-1).programs);
  }, 60_000);

  test("a control plane that is away makes it wait, not die: it lives, and is not ready with the reason", async () => {
    const url = `http://127.0.0.1:${freePort()}`;
    await addRunner(bed, control, {
      url: `http://127.0.0.1:${freePort()}`,
      identity: { id: "run1", token: "t" },
      flags: ["--health-listen", url.slice("http://".length)],
    });
    await until("it answers", async () => (await get(`${url}/livez`)).status === 200);
    const ready = await get(`${url}/readyz`);
    expect(ready.status).toBe(503);
    expect(ready.text).toContain("the control plane has not answered yet");
    expect(JSON.parse((await get(`${url}/status`)).text)).toMatchObject({ state: "starting", session: null });
  }, 30_000);

  test("a port in use is one sentence and exit code 2, before anything is touched", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const address = taken.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const runner = await addRunner(bed, control, { flags: ["--health-listen", `127.0.0.1:${port}`] });
    expect(await runner.proc.exited).toBe(2);
    expect(runner.proc.stderr()).toContain(`another program listens on 127.0.0.1:${port}`);
    expect(existsSync(runner.stateDir)).toBe(false);
    taken.close();
  }, 30_000);
});
