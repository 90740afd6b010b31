import { describe, expect, test } from "bun:test";
import { waitingFor } from "../../api/operator/waiting.ts";
import type { Store } from "../store.ts";
import { completionOf, onlineRunner, sessionOf, submit, testStore } from "../test-store.ts";
import { gpusInUse, gpusOf, runnerView, runningNow } from "../views.ts";
import { cancelJob } from "./cancel.ts";
import { claimJobs, type Grant } from "./claim.ts";
import { completeExecution } from "./complete.ts";
import { judgeHeld, renewLeases } from "./lease.ts";
import { reconsider } from "./offer.ts";
import { openSession } from "./session.ts";
import { tick } from "./tick.ts";

const gpu = (uuid: string) => ({ uuid, vendor: "nvidia", model: "A100", memory_bytes: 40 * 2 ** 30 });
const inventoryWith = (...uuids: string[]) => ({
  hostname: "host-1",
  os: "linux",
  arch: "amd64",
  cpus: 2,
  memory_bytes: 1,
  gpus: uuids.map(gpu),
  labels: {},
});
const SLOTS = { operations: 4, containers: 4 };
const TWO = { inventory: inventoryWith("GPU-1", "GPU-2"), slots: SLOTS };

const claim = (store: Store, runnerId: string, key: string, instanceId = "one-1") =>
  claimJobs(store, { runnerId, instanceId, key, slots: SLOTS });
const granted = (grants: readonly Grant[]) => grants.map(({ execution }) => gpusOf(execution));
const needs = (store: Store, gpus: number, maxExecutions = 1) => submit(store, { requires: { gpus }, maxExecutions });

const report = ({ execution }: Grant) => ({
  execution_id: execution.id,
  epoch: execution.epoch,
  status: "in-progress" as const,
  phase: "execute",
  steps: [],
});

function only(grants: readonly Grant[]): Grant {
  const [grant] = grants;
  if (!grant || grants.length !== 1) throw new Error(`${grants.length} were granted`);
  return grant;
}

describe("a GPU", () => {
  test("is granted to one execution at a time and free again at its end", () => {
    const { store } = testStore();
    const one = onlineRunner(store, "one", TWO);
    needs(store, 1);
    const first = only(claim(store, one, "key-first"));
    expect(granted([first])).toEqual([["GPU-1"]]);
    const pair = needs(store, 2);
    needs(store, 1);
    expect(granted(claim(store, one, "key-second"))).toEqual([["GPU-2"]]);
    expect(gpusInUse(store, one)).toEqual(["GPU-1", "GPU-2"]);
    completeExecution(store, one, "one-1", completionOf(first.execution));
    reconsider(store);
    expect(store.sql.job.get(pair)).toMatchObject({ status: "queued", reason: "no_gpu_count" });
    expect(runnerView(store, runnerOf(store, one)).freeGpus).toEqual(["GPU-1"]);
    expect(gpusInUse(store, one)).toEqual(["GPU-2"]);
  });

  test("is one job's even when one claim takes jobs of several groups", () => {
    const { store } = testStore();
    const one = onlineRunner(store, "one", { ...TWO, inventory: inventoryWith("GPU-1") });
    needs(store, 1);
    submit(store, { type: "container", group: "containers", requires: { gpus: 1 } });
    expect(granted(claim(store, one, "key-both"))).toEqual([["GPU-1"]]);
  });

  test("is the same one when the answer to a claim was lost and is asked for again", () => {
    const { store } = testStore();
    const one = onlineRunner(store, "one", TWO);
    needs(store, 1);
    const first = claim(store, one, "key-again");
    expect(granted(claim(store, one, "key-again"))).toEqual(granted(first));
  });

  test("stays with its execution while the runner restarts within its lease", () => {
    const { store } = testStore();
    const one = onlineRunner(store, "one", TWO);
    needs(store, 2);
    const { execution } = only(claim(store, one, "key-restart"));
    const held = [{ execution_id: execution.id, epoch: execution.epoch }];
    const again = openSession(store, one, sessionOf("one-1", { ...TWO, held }));
    expect(again.ok && again.value.held[0]?.verdict).toBe("continue");
    needs(store, 1);
    expect(claim(store, one, "key-other")).toEqual([]);
  });

  test("is free when the lease is lost, and a runner that comes back does not take it from its next job", () => {
    const { store, advance } = testStore();
    const one = onlineRunner(store, "one", { ...TWO, inventory: inventoryWith("GPU-1") });
    submit(store, { requires: { gpus: 1 }, maxExecutions: 3, runnerId: one });
    const lost = only(claim(store, one, "key-lost"));
    advance(store.times.offline_ms + 1);
    tick(store);
    cancelJob(store, { jobId: lost.job.id, by: "admin", reason: "" });
    needs(store, 1);
    openSession(store, one, sessionOf("one-1", { ...TWO, inventory: inventoryWith("GPU-1") }));
    expect(granted(claim(store, one, "key-next"))).toEqual([["GPU-1"]]);
    expect(renewLeases(store, one, "one-1", [report(lost)]).leases).toEqual([]);
  });

  test("of a parked job that was given away stops that job's return", () => {
    const { store, advance } = testStore();
    const one = onlineRunner(store, "one", { ...TWO, inventory: inventoryWith("GPU-1") });
    submit(store, { type: "terraform-deploy", operation: "apply-plan", requires: { gpus: 1 } });
    const parked = only(claim(store, one, "key-parked"));
    advance(store.times.offline_ms + 1);
    tick(store);
    const inventory = inventoryWith("GPU-1");
    openSession(store, one, sessionOf("one-1", { ...TWO, inventory }));
    needs(store, 1);
    const next = only(claim(store, one, "key-next"));
    expect(renewLeases(store, one, "one-1", [report(parked)]).lost[0]?.reason).toContain("its GPUs were given");
    const ref = { execution_id: parked.execution.id, epoch: parked.execution.epoch };
    expect(judgeHeld(store, one, "one-1", [ref])[0]?.verdict).toBe("stop");
    completeExecution(store, one, "one-1", completionOf(next.execution));
    expect(judgeHeld(store, one, "one-1", [ref])[0]?.verdict).toBe("continue");
  });

  test("that a job waits for is told with who has how many free", () => {
    const { store } = testStore();
    const one = onlineRunner(store, "one", TWO);
    needs(store, 1);
    claim(store, one, "key-told");
    const waits = needs(store, 2);
    const row = store.sql.job.get(waits);
    if (!row) throw new Error("the job is gone");
    const runners = [{ ...runnerView(store, runnerOf(store, one)), name: "one" }];
    expect(row.reason).toBe("no_gpu_count");
    expect(waitingFor(row, () => ({ runners, running: runningNow(store) }))).toBe(
      "It asks for 2 GPUs; one has 1 of 2 free. It starts when a job that holds them ends.",
    );
  });
});

function runnerOf(store: Store, id: string) {
  const runner = store.runners.get(id);
  if (!runner) throw new Error(`there is no runner ${id}`);
  return runner;
}
