import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Store } from "../store/store.ts";
import { submit, testStore } from "../store/test-store.ts";
import { createLogStore, type LogStore } from "./log-store.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "logs-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const bytes = (text: string) => new TextEncoder().encode(text);

function setUp() {
  const { store } = testStore();
  const streamId = store.sql.job.get(submit(store))?.log_stream_id ?? "";
  const logs = createLogStore(store, dir);
  const append = (from: number, to: number, payload: Uint8Array) =>
    store.db.group(() => logs.append({ streamId, payload, records: 1, range: { from, to } }));
  return { store, streamId, logs, append };
}

async function texts(logs: LogStore, streamId: string, position = 0): Promise<string[]> {
  const found: string[] = [];
  for await (const batch of logs.batches(streamId, position)) found.push(new TextDecoder().decode(batch.payload));
  return found;
}

describe("a log stream", () => {
  test("takes a batch only where the last one ended", async () => {
    const { append, logs, streamId } = setUp();
    expect(await append(0, 5, bytes("one"))).toEqual({ ok: true, value: { stored: 5 } });
    expect(await append(0, 5, bytes("one"))).toEqual({ ok: false, error: { stored: 5 } });
    expect(await append(9, 12, bytes("gap"))).toEqual({ ok: false, error: { stored: 5 } });
    expect(await append(5, 9, bytes("two"))).toEqual({ ok: true, value: { stored: 9 } });
    expect(await texts(logs, streamId)).toEqual(["one", "two"]);
  });

  test("is read from any batch on, whatever its size", async () => {
    const { append, logs, streamId } = setUp();
    const large = "x".repeat(3 * 1024 * 1024);
    await append(0, 1, bytes("small"));
    await append(1, 2, bytes(large));
    await append(2, 3, bytes(""));
    await append(3, 4, bytes("end"));
    const positions: number[] = [];
    for await (const batch of logs.batches(streamId, 0)) positions.push(batch.position);
    expect(await texts(logs, streamId, positions[1])).toEqual([large, "", "end"]);
    expect(await texts(logs, streamId, positions[3])).toEqual(["end"]);
  });

  test("cuts off what a crash left in the file behind the last commit", async () => {
    const { store, append, logs, streamId } = setUp();
    await append(0, 3, bytes("one"));
    logs.close();
    appendFileSync(join(dir, `${streamId}.log`), "half a batch of a process that was killed");
    const again: LogStore = createLogStore(store, dir);
    expect(await texts(again, streamId)).toEqual(["one"]);
    await store.db.group(() =>
      again.append({ streamId, payload: bytes("two"), records: 1, range: { from: 3, to: 6 } }),
    );
    expect(await texts(again, streamId)).toEqual(["one", "two"]);
    expect(readFileSync(join(dir, `${streamId}.log`), "utf8")).not.toContain("killed");
  });

  test("forgets a batch whose commit failed", async () => {
    const { store, logs, streamId, append } = setUp();
    await append(0, 3, bytes("one"));
    const failed = store.db.group(() => {
      logs.append({ streamId, payload: bytes("never"), records: 1, range: { from: 3, to: 8 } });
      throw new Error("disk full");
    });
    await expect(failed).rejects.toThrow("disk full");
    expect(await append(3, 6, bytes("two"))).toEqual({ ok: true, value: { stored: 6 } });
    expect(await texts(logs, streamId)).toEqual(["one", "two"]);
  });

  test("holds no file open for a reader that was left in the middle", async () => {
    const { append, logs, streamId } = setUp();
    await append(0, 3, bytes("one"));
    await append(3, 6, bytes("two"));
    // The writer's own file is closed, so that what is open is the reader's.
    logs.close();
    const reader = logs.batches(streamId, 0)[Symbol.asyncIterator]();
    expect((await reader.next()).value?.payload.byteLength).toBe(3);
    const open = readdirSync("/proc/self/fd").map((fd) => readlinkOr(`/proc/self/fd/${fd}`));
    expect(open.filter((path) => path.startsWith(dir))).toEqual([]);
    expect((await reader.next()).value?.payload.byteLength).toBe(3);
  });

  test("wakes who waits for more", async () => {
    const { append, logs, streamId } = setUp();
    const grown = woken(logs, streamId);
    await append(0, 3, bytes("one"));
    expect(await grown).toBe("grown");
    const stop = new AbortController();
    const waiting = logs.grown(streamId, 1_000_000, stop.signal);
    stop.abort();
    await waiting;
  });
});

function readlinkOr(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

async function woken(logs: LogStore, streamId: string): Promise<string> {
  await logs.grown(streamId, 0, new AbortController().signal);
  return "grown";
}

test("streams beyond those held open are written all the same", async () => {
  const { store }: { store: Store } = testStore();
  const logs = createLogStore(store, dir);
  const streams = Array.from({ length: 100 }, () => store.sql.job.get(submit(store))?.log_stream_id ?? "");
  for (const round of ["a", "b"]) {
    for (const streamId of streams) {
      await store.db.group(() => logs.append({ streamId, payload: bytes(round), records: 1, range: null }));
    }
  }
  for (const streamId of streams) expect(await texts(logs, streamId)).toEqual(["a", "b"]);
});
