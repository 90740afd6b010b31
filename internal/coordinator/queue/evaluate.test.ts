import { describe, expect, test } from "bun:test";
import { evaluate, type JobView, pickForClaim, type RunnerView, type Running } from "./evaluate.ts";

const idle: Running = () => 0;
const job = (over: Partial<JobView> = {}): JobView => ({
  id: "job1",
  type: "actions-workflow",
  group: "actions",
  runnerId: null,
  requires: {},
  ...over,
});
const runner = (over: Partial<RunnerView> = {}): RunnerView => ({
  id: "run1",
  live: true,
  draining: false,
  dialect: "native",
  mode: "all",
  slots: { actions: 1, scripts: 1, deploy: 1, management: 1, operations: 1 },
  stopping: [],
  jobTypes: [],
  labels: { site: "eu-1" },
  arch: "amd64",
  gpus: 1,
  freeGpus: ["GPU-a"],
  ...over,
});

describe("the reason for waiting", () => {
  const cases: [string, JobView, RunnerView[]][] = [
    ["no_runner_online", job(), []],
    ["no_runner_online", job(), [runner({ live: false })]],
    ["no_runner_online", job({ runnerId: "run2" }), [runner()]],
    ["runner_draining", job(), [runner({ draining: true })]],
    ["no_compatible_runner", job({ group: "sandbox" }), [runner()]],
    ["no_compatible_runner", job({ group: "management" }), [runner()]],
    ["no_compatible_runner", job(), [runner({ mode: "org" })]],
    ["no_compatible_runner", job(), [runner({ jobTypes: ["noop"] })]],
    ["no_compatible_runner", job({ type: "script", group: "scripts" }), [runner({ dialect: "nuon" })]],
    ["no_compatible_runner", job({ requires: { native: true } }), [runner({ dialect: "nuon" })]],
    ["no_arch", job({ requires: { arch: "arm64" } }), [runner()]],
    ["no_gpu_count", job({ requires: { gpus: 2 } }), [runner()]],
    ["no_gpu_count", job({ requires: { gpus: 1 } }), [runner({ freeGpus: [] })]],
    ["no_label", job({ requires: { labels: { site: "us-1" } } }), [runner()]],
    ["no_label", job({ requires: { labels: { site: "us-1" } } }), [runner({ live: false }), runner()]],
  ];
  for (const [reason, wanted, runners] of cases) {
    test(`is ${reason} for ${JSON.stringify(wanted.requires)} in ${wanted.group} with ${runners.length} runners`, () => {
      expect(evaluate(wanted, runners, idle)).toEqual({ offer: false, reason } as never);
    });
  }

  test("is group_busy when every slot of the group is taken", () => {
    expect(evaluate(job(), [runner()], () => 1)).toEqual({ offer: false, reason: "group_busy" });
  });
});

test("a job is offered to a runner with its labels, arch and room", () => {
  const wanted = job({ requires: { arch: "amd64", gpus: 1, labels: { site: "eu-1" } } });
  expect(evaluate(wanted, [runner({ live: false }), runner()], idle)).toEqual({ offer: true });
});

test("a Go runner is offered one job at a time, whatever the group; management is apart", () => {
  const go = runner({ dialect: "nuon" });
  const deploys: Running = (_id, group) => (group === undefined || group === "deploy" ? 1 : 0);
  expect(evaluate(job(), [go], deploys)).toEqual({ offer: false, reason: "group_busy" });
  expect(evaluate(job({ type: "mng-shut-down", group: "management" }), [go], deploys)).toEqual({ offer: true });
});

test("a claim takes the oldest jobs that fit and skips those that do not", () => {
  const jobs = [job({ id: "a" }), job({ id: "b", requires: { arch: "arm64" } }), job({ id: "c" }), job({ id: "d" })];
  expect(pickForClaim(jobs, runner(), 2).map((one) => one.job.id)).toEqual(["a", "c"]);
  expect(pickForClaim(jobs, runner(), 0)).toEqual([]);
});

test("one claim gives each GPU to one job, and lets what needs none past those that wait", () => {
  const two = runner({ gpus: 3, freeGpus: ["GPU-a", "GPU-c"] });
  const jobs = [
    job({ id: "one", requires: { gpus: 1 } }),
    job({ id: "pair", requires: { gpus: 2 } }),
    job({ id: "none" }),
    job({ id: "last", requires: { gpus: 1 } }),
    job({ id: "late", requires: { gpus: 1 } }),
  ];
  expect(pickForClaim(jobs, two, 9).map(({ job: { id }, gpus }) => [id, ...gpus])).toEqual([
    ["one", "GPU-a"],
    ["none"],
    ["last", "GPU-c"],
  ]);
});
