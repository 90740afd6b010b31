import { describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { addRunner, leftOver, outcomes } from "./lib/control.ts";
import { action, terraform, terraformTest } from "./lib/jobs.ts";
import { until } from "./lib/processes.ts";
import { type Beds, withBed } from "./lib/with-bed.ts";

/** A stop that arrives while the runner is held in one step of the lifecycle, for an action and for a terraform apply. */
const WORKING = ["fetch", "validate", "initialize", "execute", "outputs"] as const;
type Step = (typeof WORKING)[number] | "report" | "cleanup";

const KINDS = [
  // `nth`: a change reaches each step twice, the second time with its apply job.
  { kind: "an action", make: action, run: test, nth: 1, done: ["begin", "worked", "second"] },
  { kind: "a terraform apply", make: terraform, run: terraformTest, nth: 2, done: ["begin", "worked"] },
] as const;

/** Long enough for a busy machine to come to any step of the work; those that wait for it wait together. */
const TIMEOUT_S = 12;
const LIMIT_MS = 90_000;

async function heldIn(step: Step, { make, nth }: (typeof KINDS)[number], { bed, control }: Beds, timeout?: string) {
  const gate = bed.path("held");
  const runner = await addRunner(bed, control, { env: { RUNNER_FAILPOINT: `runner.${step}:${nth}=pause:${gate}` } });
  const sample = make(bed, timeout ? { timeout } : {});
  const job = await control.submit(sample.file);
  await until(`the runner is in ${step}`, () => existsSync(`${gate}.reached`), LIMIT_MS);
  return { runner, sample, job, letGo: () => writeFileSync(gate, "") };
}

for (const one of KINDS) {
  describe(`cancel of ${one.kind}`, () => {
    for (const step of WORKING) {
      one.run(
        `in ${step}: cancelled once, cleaned up, nothing left behind`,
        withBed(async ({ bed, control }) => {
          const { runner, sample, job } = await heldIn(step, one, { bed, control });
          expect((await control.post(`/jobs/${job}/cancel`, { reason: "not today" })).status).toBe(200);
          const doc = await control.ended(job);
          expect(doc.status).toBe("cancelled");
          expect(doc.reason).toContain("not today");
          expect(outcomes(doc)).toEqual(["cancelled"]);
          expect(sample.traces()).toEqual(step === "outputs" ? [...one.done] : []);
          expect(await leftOver(bed, control, runner)).toEqual([]);
        }),
        LIMIT_MS,
      );
    }

    one.run(
      "in report: cancel is final, the timeline says that the work had ended",
      withBed(async ({ bed, control }) => {
        const { runner, sample, job, letGo } = await heldIn("report", one, { bed, control });
        expect((await control.post(`/jobs/${job}/cancel`)).status).toBe(200);
        letGo();
        const doc = await control.ended(job);
        expect(doc.status).toBe("cancelled");
        expect(outcomes(doc)).toEqual(["cancelled"]);
        expect(JSON.stringify(doc.events)).toContain("the work had ended: finished");
        expect(sample.traces()).toEqual([...one.done]);
        expect(await leftOver(bed, control, runner)).toEqual([]);
      }),
      LIMIT_MS,
    );

    one.run(
      "in cleanup: refused, the job has ended as it did",
      withBed(async ({ bed, control }) => {
        const { runner, sample, job, letGo } = await heldIn("cleanup", one, { bed, control });
        expect((await control.post(`/jobs/${job}/cancel`)).status).toBe(409);
        letGo();
        const doc = await control.ended(job);
        expect(doc.status).toBe("finished");
        expect(outcomes(doc)).toEqual(["finished"]);
        expect(sample.traces()).toEqual([...one.done]);
        expect(await leftOver(bed, control, runner)).toEqual([]);
      }),
      LIMIT_MS,
    );
  });

  describe.concurrent(`timeout of ${one.kind}`, () => {
    for (const step of WORKING) {
      one.run(
        `in ${step}: timed out once, cleaned up, nothing left behind`,
        withBed(async ({ bed, control }) => {
          const { runner, sample, job } = await heldIn(step, one, { bed, control }, `${TIMEOUT_S}s`);
          const doc = await control.ended(job);
          expect(doc.status).toBe("timed-out");
          expect(doc.reason).toContain("timeout");
          expect(outcomes(doc)).toEqual(["timed-out"]);
          expect(sample.traces()).toEqual(step === "outputs" ? [...one.done] : []);
          expect(await leftOver(bed, control, runner)).toEqual([]);
        }),
        LIMIT_MS,
      );
    }

    for (const step of ["report", "cleanup"] as const) {
      one.run(
        `in ${step}: the work was done in time and keeps its outcome`,
        withBed(async ({ bed, control }) => {
          const { runner, sample, job, letGo } = await heldIn(step, one, { bed, control }, `${TIMEOUT_S}s`);
          await Bun.sleep(TIMEOUT_S * 1_000);
          letGo();
          const doc = await control.ended(job);
          expect(doc.status).toBe("finished");
          expect(outcomes(doc)).toEqual(["finished"]);
          expect(sample.traces()).toEqual([...one.done]);
          expect(await leftOver(bed, control, runner)).toEqual([]);
        }),
        LIMIT_MS,
      );
    }
  });
}
