import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { addRunner, startControl } from "../faults/lib/control.ts";
import { action } from "../faults/lib/jobs.ts";
import { type Bed, makeBed } from "../faults/lib/processes.ts";

let bed: Bed;
beforeEach(() => {
  bed = makeBed();
});
afterEach(() => bed.end());

describe("an audit trail, checked from outside", () => {
  test("of a runner: whole as it was written; changed, cut, reordered or shortened it fails with the line", async () => {
    const control = await startControl(bed);
    const runner = await addRunner(bed, control);
    const sample = action(bed, {});
    sample.release();
    const id = await control.submit(sample.file);
    await control.ended(id);
    const verify = (...args: string[]) =>
      bed.run(["audit", "verify", "--state-dir", runner.stateDir, ...args, "--json"]);
    const whole = await verify();
    expect(whole.code).toBe(0);
    const { lines, last } = JSON.parse(whole.stdout);
    expect(lines).toBe(3);
    expect((await verify("--expect", last)).code).toBe(0);
    const file = `${runner.stateDir}/audit.jsonl`;
    const text = readFileSync(file, "utf8");
    const [one = "", two = "", three = ""] = text.split("\n");
    const verdictOf = async (changed: string, ...args: string[]) => {
      writeFileSync(file, changed);
      const { code, stdout } = await verify(...args);
      expect(code).toBe(1);
      return JSON.parse(stdout);
    };
    expect(await verdictOf(text.replace('"outcome":"finished"', '"outcome":"failed"'))).toMatchObject({
      file,
      line: 3,
    });
    expect(await verdictOf(`${[one, three, two].join("\n")}\n`)).toMatchObject({ line: 2 });
    expect(await verdictOf(`${[one, three].join("\n")}\n`)).toMatchObject({ line: 2 });
    expect(await verdictOf(`${[two, three].join("\n")}\n`)).toMatchObject({
      line: 1,
      why: expect.stringContaining("missing"),
    });
    expect(await verdictOf(text.slice(0, -10))).toMatchObject({ line: 3, why: "the line is not whole" });
    expect(await verdictOf(`${one}\n${two}\n`, "--expect", last)).toMatchObject({
      why: expect.stringContaining("cut off"),
    });
    writeFileSync(file, text);
    const shown = await bed.run(["audit", "show", file]);
    expect(shown.stdout).toContain(`${id}  ran `);
    expect(shown.stdout).toContain(`${id}  actions-workflow exec finished`);
  }, 60_000);

  test("of the coordinator: every changing call with its answer, no token and no key, nothing of reading", async () => {
    const control = await startControl(bed);
    const made = await control.createRunner("one");
    await control.post(`/runners/${made.id}/drain`, { reason: "maintenance" });
    await control.post("/runners/runnone/drain", {});
    await control.runners();
    const { code, stdout, stderr } = await bed.run(["audit", "list", "--json"], control.admin());
    expect(code).toBe(0);
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { actor: "admin", method: "POST", path: "/api/v1/runners", status: 200, outcome: "done", made: made.id },
      { path: `/api/v1/runners/${made.id}/drain`, reason: "maintenance", outcome: "done" },
      { path: "/api/v1/runners/runnone/drain", status: 404, outcome: "refused" },
    ]);
    expect(stdout + stderr).not.toContain(made.token);
    expect(stdout).not.toContain(control.admin().RUNNER_ADMIN_KEY ?? "-");
    const gone = await bed.run(["audit", "list", "--expect", "f".repeat(64)], control.admin());
    expect(gone.code).toBe(1);
  }, 60_000);
});
