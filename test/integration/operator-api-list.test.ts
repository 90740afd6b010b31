import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import type { Coordinator } from "../../internal/coordinator/coordinator.ts";
import type { JobDoc, LogSearch, NumberedLine, WorkCounts } from "../../internal/protocol/operator.ts";
import { type CoordinatorBed, startCoordinatorBed } from "../lib/coordinator-bed.ts";
import type { Operator } from "../lib/operator.ts";
import { createRunnerPeer, type RunnerPeer } from "../lib/runner-peer.ts";

let bed: CoordinatorBed;
let coordinator: Coordinator;
let operator: Operator;
let peer: RunnerPeer;

beforeAll(async () => {
  bed = await startCoordinatorBed();
  ({ coordinator, operator } = bed);
});
afterAll(() => bed.end());

const action = async (name: string, more: object = {}) => {
  // Jobs that were made within one millisecond have no order.
  await Bun.sleep(2);
  return operator.submit({ type: "actions-workflow", name, spec: { steps: [{ name: "a", run: "x" }] }, ...more });
};
const list = async (query: string) => (await operator.get<JobDoc[]>(`/jobs?${query}`)).map((job) => job.name);
const waits = async (id: string) => (await operator.get<JobDoc>(`/jobs/${id}`)).waiting_for;

describe("what a waiting job waits for", () => {
  test("without a runner: how to make one; with one: what it lacks", async () => {
    const id = await action("lonely", { requires: { labels: { site: "eu-1" } } });
    expect(await waits(id)).toContain("`runner runners create NAME`");
    peer = await createRunnerPeer(coordinator.url, operator);
    expect(await waits(id)).toMatch(/^It asks for the labels site=eu-1; peer-\S+ lacks site=eu-1\./);
    await operator.send("POST", `/jobs/${id}/cancel`, {});
    expect(await waits(id)).toBe("");
  });

  test("a job for one runner names that runner when it is away", async () => {
    const made = await operator.send("POST", "/runners", { name: "away" });
    const id = await operator.submit(
      { type: "actions-workflow", name: "pinned", spec: { steps: [{ name: "a", run: "x" }] } },
      { runner: made.body.id },
    );
    expect(await waits(id)).toContain("Only runner away may take it");
    await operator.send("POST", `/jobs/${id}/cancel`, {});
  });
});

describe("the list of jobs", () => {
  beforeAll(async () => {
    for (const name of ["delta", "alpha", "charlie", "bravo"]) await action(name, { requires: { gpus: 9 } });
    const done = await action("worked");
    await peer.finish(done, {});
  });
  const NAMES = ["worked", "bravo", "charlie", "alpha", "delta"];

  test("is narrowed by text, type, group and runner, and counted per status", async () => {
    expect(await list("q=AR")).toEqual(["charlie"]);
    expect((await list(`runner=${peer.id}`))[0]).toBe("worked");
    expect(await list("group=deploy")).toEqual([]);
    expect(await list("type=actions-workflow&status=queued")).toEqual(NAMES.slice(1));
    const counts = await operator.get<WorkCounts>("/jobs/counts?q=a");
    const found = await operator.get<JobDoc[]>("/jobs?q=a&limit=200");
    expect(counts.total).toBe(found.length);
    for (const [status, n] of Object.entries(counts.statuses))
      expect([status, n]).toEqual([status, found.filter((job) => job.status === status).length]);
  });

  test("a text is no pattern: percent and underscore stand for themselves", async () => {
    expect(await list("q=%25")).toEqual([]);
    expect(await list("q=_")).toEqual([]);
  });

  test("each sort is paged forwards and back without a gap or a double", async () => {
    for (const sort of ["-created", "created", "name", "-name", "type", "-type"]) {
      const all = await operator.get<JobDoc[]>(`/jobs?status=queued&limit=200&sort=${sort}`);
      const ids = all.map((job) => job.id);
      const [first, second, third, fourth] = ids;
      const page = async (query: string) =>
        (await operator.get<JobDoc[]>(`/jobs?status=queued&limit=2&sort=${sort}&${query}`)).map((job) => job.id);
      expect(await page("")).toEqual([first, second] as string[]);
      expect(await page(`before=${second}`)).toEqual([third, fourth] as string[]);
      expect(await page(`back=${third}`)).toEqual([first, second] as string[]);
      expect(await page(`back=${fourth}`)).toEqual([second, third] as string[]);
    }
    expect(await list("status=queued&sort=name")).toEqual(["alpha", "bravo", "charlie", "delta"]);
  });

  test("a query that makes no sense is refused", async () => {
    for (const query of ["sort=status", "status=nearly", "before=x&back=y", "before=job-that-is-not-there", "nope=1"]) {
      expect([query, (await operator.send("GET", `/jobs?${query}`)).status >= 400]).toEqual([query, true]);
    }
  });
});

describe("a part of a log", () => {
  test("lines have one number in search and in parts, however they were sent", async () => {
    const id = await action("logged");
    const claim = await peer.claim(id);
    const partial = { "runner.partial": true };
    await peer.log(claim, [{ text: "one\ntwo" }, { text: "thr", attributes: partial }]);
    await peer.log(claim, [{ text: "ee and a nee", attributes: partial }, { text: "dle\n\x1b[1mNee\x1b[0mdle\nlast" }]);
    const search = await operator.get<LogSearch>(`/jobs/${id}/logs/search?q=needle`);
    expect(search).toMatchObject({
      count: 2,
      lines: 5,
      hits: [
        { line: 3, text: "three and a needle" },
        { line: 4, text: "Needle" },
      ],
    });
    expect(await operator.get<LogSearch>(`/jobs/${id}/logs/search?q=needle&to=3&limit=1`)).toMatchObject({
      count: 1,
      lines: 3,
    });
    const lines = await operator.get<NumberedLine[]>(`/jobs/${id}/logs/lines?from=2&count=3`);
    expect(lines.map((line) => [line.number, line.text])).toEqual([
      [2, "two"],
      [3, "three and a needle"],
      [4, "\x1b[1mNee\x1b[0mdle"],
    ]);
    expect(await operator.get<NumberedLine[]>(`/jobs/${id}/logs/lines?from=6`)).toEqual([]);
    for (const path of [`/jobs/${id}/logs/search`, `/jobs/${id}/logs/lines?from=0`]) {
      expect((await operator.send("GET", path)).status).toBe(400);
    }
    expect((await operator.send("GET", "/jobs/jobnone/logs/search?q=x")).status).toBe(404);
    await peer.finish(id, {});
  });
});

describe("a plan in machine form", () => {
  test("holds what changes with secrets redacted, also where a provider copied them, and nothing else", async () => {
    const digest = await operator.upload({ "main.tf": "" });
    const id = await operator.submit(
      {
        type: "terraform-deploy",
        operation: "apply",
        approval: "required",
        spec: { source: { path: "./m" }, workspace: "w" },
      },
      { sources: { "spec.source": { digest, path: "" } } },
    );
    expect((await operator.send("GET", `/jobs/${id}/plan`)).status).toBe(404);
    const change = {
      actions: ["create"],
      before: null,
      after: { open: "x", list: ["ok", "hush-hush"], copied: "hush-hush" },
      after_sensitive: { list: [false, true] },
    };
    const plan = {
      format_version: "1.2",
      variables: { v: { value: "hush-hush" } },
      planned_values: { outputs: { o: { value: "hush-hush" } } },
      resource_changes: [{ address: "a.b", mode: "managed", type: "a", name: "b", change }],
      output_changes: { o: { actions: ["create"], before: null, after: "hush-hush", after_sensitive: true } },
    };
    const planJob = (await operator.show(id)).jobs[0]?.id ?? "";
    await peer.finish(planJob, {
      result: {
        success: true,
        contents_compressed: "cGxhbg==",
        contents_display_compressed: gzipSync(JSON.stringify(plan)).toString("base64url"),
      },
    });
    const answer = await operator.send("GET", `/jobs/${id}/plan`);
    expect(JSON.stringify(answer.body)).not.toContain("hush-hush");
    expect(answer.body.resource_changes[0].change.after).toEqual({
      open: "x",
      list: ["ok", "[redacted]"],
      copied: "[redacted]",
    });
    expect(Object.keys(answer.body).sort()).toEqual([
      "format_version",
      "output_changes",
      "resource_changes",
      "resource_drift",
    ]);
    expect((await operator.send("GET", `/jobs/${planJob}/plan`)).body).toEqual(answer.body);
  });
});
