import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { addRunner, type Control, startControl } from "./lib/control.ts";
import { action, terraform, terraformTest } from "./lib/jobs.ts";
import { type Bed, makeBed, until } from "./lib/processes.ts";
import { type Fault, type FaultProxy, startProxy } from "./lib/proxy.ts";

let bed: Bed;
let control: Control;
let proxy: FaultProxy;
beforeEach(async () => {
  bed = makeBed();
  control = await startControl(bed);
  proxy = startProxy(control.url);
});
afterEach(async () => {
  proxy.stop();
  await bed.end();
});

const ROUTES = {
  session: /POST .*\/sessions$/,
  claim: /POST .*\/claims$/,
  renewal: /POST .*\/renewals$/,
  completion: /POST .*\/completions$/,
  logs: /POST .*\/logs$/,
  state: /(GET|POST) \/v1\/terraform-backend$/,
  lock: /POST .*\/(lock|unlock)$/,
} as const;

const WHAT: readonly Fault["what"][] = ["500", "429", "html", "half", "cut", "drop-answer"];

describe("a control plane that misbehaves for a while", () => {
  for (const [route, on] of Object.entries(ROUTES).filter(([name]) => name !== "state" && name !== "lock")) {
    for (const what of WHAT) {
      test(`${what} on ${route}: the job ends once and no line of its log is lost or doubled`, async () => {
        proxy.faults = [{ on, what, times: 2 }];
        await addRunner(bed, control, { url: proxy.url });
        const sample = action(bed);
        const job = await control.submit(sample.file);
        const doc = await control.ended(job);
        expect(doc.status).toBe("finished");
        expect(doc.outputs).toMatchObject({ answer: "42" });
        expect(sample.traces()).toEqual(["begin", "worked", "second"]);
        const log = await control.log(job);
        expect(log.match(/line one/g)).toHaveLength(1);
        expect(log.match(/line two/g)).toHaveLength(1);
        expect(doc.events.filter((event) => event.what === "finished")).toHaveLength(1);
      }, 60_000);
    }
  }

  for (const what of ["500", "429", "cut"] as const) {
    terraformTest(
      `${what} on state and lock: terraform repeats, the state is saved and the lock is free`,
      async () => {
        proxy.faults = [
          { on: ROUTES.state, what, times: 1 },
          { on: ROUTES.lock, what, times: 1 },
        ];
        await addRunner(bed, control, { url: proxy.url });
        const job = await control.submit(terraform(bed).file);
        const doc = await control.ended(job);
        expect(doc.status).toBe(what === "500" ? "finished" : doc.status);
        expect((await control.workspaces())[0]?.lock).toBeNull();
      },
      60_000,
    );
  }

  terraformTest(
    "30 s of silence in mid-apply: the apply goes on, its state is saved, one outcome is recorded",
    async () => {
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
    },
    180_000,
  );
});

describe("a coordinator killed with SIGKILL", () => {
  for (const place of ["claim", "renew", "log", "state", "complete"]) {
    for (const when of ["before", "after"]) {
      terraformTest(
        `${when} its commit of ${place}: after its restart the change ends once and nothing is lost`,
        async () => {
          await bed.end();
          bed = makeBed();
          control = await startControl(bed, { env: { RUNNER_FAILPOINT: `coordinator.${place}.${when}` } });
          await addRunner(bed, control);
          const sample = terraform(bed, { wait: place === "renew" });
          const job = await control.submit(sample.file);
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
        180_000,
      );
    }
  }
});
