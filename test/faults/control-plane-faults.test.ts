import { describe, expect, test } from "bun:test";
import { addRunner } from "./lib/control.ts";
import { inTurn } from "./lib/in-turn.ts";
import { action, terraform, terraformTest } from "./lib/jobs.ts";
import { until } from "./lib/processes.ts";
import { type Fault, type FaultProxy, startProxy } from "./lib/proxy.ts";
import { type Beds, withBed } from "./lib/with-bed.ts";

/** They mostly wait for the next attempt, so a few go together. */
const turn = inTurn(4);

/** Through a proxy that misbehaves as its test says. */
const withProxy = (work: (beds: Beds & { readonly proxy: FaultProxy }) => Promise<void>) =>
  turn(
    withBed(async (beds) => {
      const proxy = startProxy(beds.control.url);
      try {
        await work({ ...beds, proxy });
      } finally {
        proxy.stop();
      }
    }),
  );

const ROUTES = {
  session: /POST .*\/sessions$/,
  claim: /POST .*\/claims$/,
  renewal: /POST .*\/renewals$/,
  completion: /POST .*\/completions$/,
  logs: /POST .*\/logs$/,
} as const;

const WHAT: readonly Fault["what"][] = ["500", "429", "html", "half", "cut", "drop-answer"];
/** The wait for its turn counts. */
const LIMIT_MS = 300_000;

describe.concurrent("a control plane that misbehaves for a while", () => {
  for (const [route, on] of Object.entries(ROUTES)) {
    for (const what of WHAT) {
      test(
        `${what} on ${route}: the job ends once and no line of its log is lost or doubled`,
        withProxy(async ({ bed, control, proxy }) => {
          const fault: Fault = { on, what, times: 2 };
          proxy.faults = [fault];
          await addRunner(bed, control, { url: proxy.url });
          // The second line of a log must come after the trouble of the first.
          const sample = action(bed, { wait: route === "logs" });
          const job = await control.submit(sample.file);
          if (route === "logs") await until("both faults are met", () => proxy.hits(fault) === 2);
          sample.release();
          const doc = await control.ended(job);
          expect(doc.status).toBe("finished");
          expect(doc.outputs).toMatchObject({ answer: "42" });
          expect(sample.traces()).toEqual(["begin", "worked", "second"]);
          const log = await control.log(job);
          expect(log.match(/line one/g)).toHaveLength(1);
          expect(log.match(/line two/g)).toHaveLength(1);
          expect(doc.events.filter((event) => event.what === "finished")).toHaveLength(1);
        }),
        LIMIT_MS,
      );
    }
  }

  for (const what of ["500", "429", "drop-answer"] as const) {
    terraformTest(
      `${what} on state, lock and unlock: terraform repeats, the state is saved and the lock is free`,
      withProxy(async ({ bed, control, proxy }) => {
        const faults = [/POST \/v1\/terraform-backend$/, /\/lock$/, /\/unlock$/].map((on) => ({ on, what, times: 1 }));
        proxy.faults = faults;
        await addRunner(bed, control, { url: proxy.url });
        const sample = terraform(bed);
        const doc = await control.ended(await control.submit(sample.file));
        expect(doc.status).toBe("finished");
        expect(sample.traces()).toEqual(["begin", "worked"]);
        expect(faults.map(proxy.hits)).toEqual([1, 1, 1]);
        const [workspace] = await control.workspaces();
        expect(workspace?.serial).toBeGreaterThan(0);
        expect(workspace?.lock).toBeNull();
      }),
      LIMIT_MS,
    );
  }

  terraformTest(
    "a state that is refused for good in mid-apply: the apply fails, what it made is saved by cleanup",
    withProxy(async ({ bed, control, proxy }) => {
      // 409 is never repeated by terraform: it leaves errored.tfstate behind.
      const fault: Fault = { on: /POST \/v1\/terraform-backend$/, what: "409", times: 1 };
      proxy.faults = [fault];
      await addRunner(bed, control, { url: proxy.url });
      const sample = terraform(bed);
      const doc = await control.ended(await control.submit(sample.file));
      expect([doc.status, proxy.hits(fault)]).toEqual(["failed", 1]);
      expect(sample.traces()).toEqual(["begin", "worked"]);
      const [workspace] = await control.workspaces();
      expect(workspace?.serial).toBeGreaterThan(0);
      expect(workspace?.lock).toBeNull();
    }),
    LIMIT_MS,
  );

  terraformTest(
    "30 s of silence in mid-apply: the apply goes on, its state is saved, one outcome is recorded",
    withProxy(async ({ bed, control, proxy }) => {
      await addRunner(bed, control, { url: proxy.url });
      const sample = terraform(bed, { wait: true });
      const job = await control.submit(sample.file);
      await until("the apply works", () => sample.traces().includes("begin"));
      await control.proc.kill9();
      sample.release();
      await Bun.sleep(30_000);
      await control.restart();
      const doc = await control.ended(job, 120_000);
      expect(doc.status).toBe("finished");
      expect(sample.traces()).toEqual(["begin", "worked"]);
      const [workspace] = await control.workspaces();
      expect(workspace?.lock).toBeNull();
      expect(workspace?.serial).toBeGreaterThan(0);
    }),
    LIMIT_MS,
  );
});

describe.concurrent("a coordinator killed with SIGKILL", () => {
  for (const place of ["claim", "renew", "log", "state", "complete"]) {
    for (const when of ["before", "after"]) {
      terraformTest(
        `${when} its commit of ${place}: after its restart the change ends once and nothing is lost`,
        turn(
          withBed(
            async ({ bed, control }) => {
              // Submitted before anyone can claim it: the coordinator dies at the claim, perhaps before it answered the submit.
              const sample = terraform(bed, { wait: place === "renew" });
              const job = await control.submit(sample.file);
              await addRunner(bed, control);
              await control.proc.exited;
              await control.restart();
              sample.release();
              const doc = await control.ended(job, 120_000);
              expect(doc.status).toBe("finished");
              expect(sample.traces()).toEqual(["begin", "worked"]);
              expect(
                doc.events.filter((event) => event.what === "finished" && event.job_id === doc.jobs.at(-1)?.id),
              ).toHaveLength(1);
              expect((await control.log(job)).match(/Apply complete!/g)).toHaveLength(1);
              expect((await control.workspaces())[0]?.lock).toBeNull();
            },
            { env: { RUNNER_FAILPOINT: `coordinator.${place}.${when}` } },
          ),
        ),
        LIMIT_MS,
      );
    }
  }
});
