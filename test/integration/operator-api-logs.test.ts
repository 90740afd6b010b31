import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Coordinator } from "../../internal/coordinator/coordinator.ts";
import type { EventDoc, LogLine } from "../../internal/protocol/operator.ts";
import { type CoordinatorBed, startCoordinatorBed } from "../lib/coordinator-bed.ts";
import type { Operator } from "../lib/operator.ts";
import { createRunnerPeer, type RunnerPeer } from "../lib/runner-peer.ts";
import { readSse } from "../lib/sse-reader.ts";

let bed: CoordinatorBed;
let coordinator: Coordinator;
let operator: Operator;
let peer: RunnerPeer;

beforeAll(async () => {
  bed = await startCoordinatorBed();
  ({ coordinator, operator } = bed);
  peer = await createRunnerPeer(coordinator.url, operator);
});
afterAll(() => bed.end());

const action = () => operator.submit({ type: "actions-workflow", spec: { steps: [{ name: "a", run: "x" }] } });
const textOf = async (path: string) => await (await operator.raw(path)).text();
const partial = { "runner.partial": true };
const own = { "runner.source": "runner" };

describe("a log", () => {
  test("is read back byte for byte as text, and only the tools' output on request", async () => {
    const id = await action();
    const claim = await peer.claim(id);
    await peer.log(claim, [
      { text: "one\ntwo" },
      { text: "ours", attributes: own },
      { text: "half", attributes: partial },
    ]);
    await peer.log(claim, [{ text: " a line ü ✓" }]);
    expect(await textOf(`/jobs/${id}/logs?format=text`)).toBe("one\ntwo\nours\nhalf a line ü ✓\n");
    expect(await textOf(`/jobs/${id}/logs?format=text&source=tool`)).toBe("one\ntwo\nhalf a line ü ✓\n");
    await peer.finish(id, {});
  });

  test("is read as NDJSON, and goes on behind any line's cursor", async () => {
    const id = await action();
    const claim = await peer.claim(id);
    for (const batch of [["a", "b", "c"], ["d"], ["e", "f"]])
      await peer.log(
        claim,
        batch.map((text) => ({ text })),
      );
    const linesOf = async (after: string): Promise<LogLine[]> =>
      (await textOf(`/jobs/${id}/logs?after=${after}`))
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line));
    const all = await linesOf("");
    expect(all.map((line) => line.text).join("")).toBe("abcdef");
    expect(all[0]).toMatchObject({
      source: "tool",
      severity: "info",
      execution_id: claim.execution_id,
      partial: false,
    });
    for (const [index, line] of all.entries()) {
      expect((await linesOf(line.cursor)).map((one) => one.text).join("")).toBe("abcdef".slice(index + 1));
    }
    expect((await operator.raw(`/jobs/${id}/logs?after=nonsense`)).status).toBe(400);
    await peer.finish(id, {});
  });

  test("of a change runs on from its plan job into its apply job", async () => {
    const digest = await operator.upload({ "main.tf": "# logs" });
    const job = { type: "terraform-deploy", spec: { source: { path: "." }, workspace: "logs" } };
    const id = await operator.submit(job, { sources: { "spec.source": { digest, path: "" } } });
    const planJob = (await operator.show(id)).jobs[0]?.id ?? "";
    await peer.log(await peer.claim(planJob), [{ text: "planning" }]);
    await peer.finish(planJob, { result: { success: true, contents_compressed: "cGxhbg==" } });
    const applyJob = (await operator.show(id)).jobs[1]?.id ?? "";
    await peer.log(await peer.claim(applyJob), [{ text: "applying" }]);
    expect(await textOf(`/jobs/${id}/logs?format=text`)).toBe("planning\napplying\n");
    await peer.finish(applyJob, {});
    expect(await textOf(`/jobs/${planJob}/logs?format=text`)).toBe("planning\n");
  });
});

describe("a live log", () => {
  test("brings each line once while the job runs, and ends when it has been cleaned up", async () => {
    const id = await action();
    const stream = readSse(await operator.raw(`/jobs/${id}/logs/stream`));
    const claim = await peer.claim(id);
    await peer.log(claim, [{ text: "first" }, { text: "second" }]);
    const early = [await stream.next(), await stream.next()];
    expect(early.map((message) => JSON.parse(message?.data ?? "{}").text)).toEqual(["first", "second"]);
    await peer.log(claim, [{ text: "third" }]);
    expect(JSON.parse((await stream.next())?.data ?? "{}").text).toBe("third");
    await peer.finish(id, {});
    expect((await stream.next())?.event).toBe("end");
    expect(await stream.next()).toBeNull();
  });

  test("goes on behind Last-Event-ID without a gap or a repeat", async () => {
    const id = await action();
    const claim = await peer.claim(id);
    await peer.log(claim, [{ text: "1" }, { text: "2" }, { text: "3" }]);
    const first = readSse(await operator.raw(`/jobs/${id}/logs/stream`));
    await first.next();
    const second = await first.next();
    await first.close();
    await peer.log(claim, [{ text: "4" }]);
    await peer.finish(id, {});
    const headers = { "last-event-id": second?.id ?? "" };
    const rest = await readSse(await operator.raw(`/jobs/${id}/logs/stream`, { headers })).all();
    expect(rest.filter((m) => m.event !== "end").map((m) => JSON.parse(m.data).text)).toEqual(["3", "4"]);
  });

  test("of a job that is cancelled before it ran ends at once", async () => {
    const id = await operator.submit({ type: "noop", requires: { labels: { site: "moon" } } });
    await operator.send("POST", `/jobs/${id}/cancel`);
    const messages = await readSse(await operator.raw(`/jobs/${id}/logs/stream`)).all();
    expect(messages.map((message) => message.event)).toEqual(["end"]);
  });
});

describe("the timeline", () => {
  test("is paged by seq and streamed live from where a client left off", async () => {
    const id = await action();
    const events = await operator.get<EventDoc[]>("/events?limit=1000");
    expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1));
    const mine = events.filter((event) => event.job_id === id);
    expect(mine[0]?.what).toBe("queued");
    const headers = { "last-event-id": String(mine[0]?.seq) };
    const stream = readSse(await operator.raw("/events/stream", { headers }));
    expect(JSON.parse((await stream.next())?.data ?? "{}")).toMatchObject({ what: "available", job_id: id });
    await operator.send("POST", `/jobs/${id}/cancel`);
    for (;;) {
      const message = await stream.next();
      const event: EventDoc = JSON.parse(message?.data ?? "{}");
      expect(message?.id).toBe(String(event.seq));
      if (event.what === "cancelled" && event.job_id === id) break;
    }
    await stream.close();
  });

  test("is read backwards and by subject, name and actor, as a list and live", async () => {
    const [one, other] = [await action(), await action()];
    await operator.send("POST", `/jobs/${one}/cancel`);
    const page = await operator.get<EventDoc[]>(`/events?order=newest&limit=2&subject=${one}`);
    expect(page.map((event) => event.what)).toEqual(["cancelled", "available"]);
    const before = page.at(-1)?.seq;
    const older = await operator.get<EventDoc[]>(`/events?order=newest&limit=2&subject=${one}&before=${before}`);
    expect(older.map((event) => event.what)).toEqual(["queued"]);
    expect(await operator.get<EventDoc[]>(`/events?subject=${one}&what=queued&by=system`)).toEqual([]);
    expect((await operator.send("GET", "/events?actor=x")).status).toBe(400);

    const stream = readSse(await operator.raw(`/events/stream?subject=${other}&what=cancelled&after=0`));
    await operator.send("POST", `/jobs/${other}/cancel`);
    expect(JSON.parse((await stream.next())?.data ?? "{}")).toMatchObject({ what: "cancelled", job_id: other });
    await stream.close();
  });
});
