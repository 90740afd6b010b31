import { afterEach, describe, expect, test } from "bun:test";
import { appendFileSync, closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";
import { createRedactor } from "../secrets/redactor.ts";
import { newNonce, openForTool, openOutputFile } from "./output-file.ts";
import { createLogReader } from "./reader.ts";
import { createShipper, type Shipper, type ShipperOptions } from "./shipper.ts";
import type { LogBatch } from "./types.ts";

/** A server's side of a stream: stores a batch only when it follows what it has. */
function server() {
  const batches: LogBatch[] = [];
  const state = { stored: 0, open: 0, most: 0 };
  let gate: Promise<void> = Promise.resolve();
  let release = () => {};
  const sink = async (batch: LogBatch): Promise<Result<{ stored: number }>> => {
    state.most = Math.max(state.most, ++state.open);
    await gate;
    state.open--;
    if (batch.from === state.stored) {
      batches.push(batch);
      state.stored = batch.to;
    }
    return ok({ stored: state.stored });
  };
  return {
    batches,
    state,
    sink,
    text: () =>
      batches.flatMap((batch) => batch.records.map((record) => record.text + (record.partial ? "" : "\n"))).join(""),
    hold: () => {
      gate = new Promise((resolve) => {
        release = resolve;
      });
    },
    release: () => release(),
  };
}

const cleanups: Array<() => void> = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

function execution() {
  const folder = mkdtempSync(join(tmpdir(), "shipper-"));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "output");
  const nonce = newNonce();
  const file = openOutputFile(path, { nonce });
  if (!file.ok) throw file.error;
  const redactor = createRedactor();
  const ship = (options: Pick<ShipperOptions, "sink"> & Partial<ShipperOptions>): Shipper => {
    const fd = openSync(path, "r+");
    const reader = createLogReader({ fd, nonce, redactor });
    const shipper = createShipper({ path, fd, reader, intervalMs: 50, capBytes: 2 ** 40, ...options });
    cleanups.push(() => {
      shipper.stop();
      closeSync(fd);
    });
    return shipper;
  };
  return {
    path,
    nonce,
    file: file.value,
    redactor,
    ship,
    tool: (text: string | Uint8Array) => appendFileSync(path, text),
  };
}

/** Resolves when `check` holds; the test's own time limit is the only clock. */
async function until(check: () => boolean): Promise<void> {
  while (!check()) await Bun.sleep(5);
}

const MIB = 1 << 20;
const block = (mib: number) =>
  Buffer.from("0123456789abcdef 0123456789abcdef 0123456789abcdef 0123456789ab\n".repeat(16_384 * mib));

describe("shipping", () => {
  test("lines of tools and runner arrive in order while the file grows, without being asked", async () => {
    const { file, tool, ship } = execution();
    const { sink, text } = server();
    ship({ sink });
    file.appendLine("info", "starting");
    tool("hello\n");
    await until(() => text() === "starting\nhello\n");
    tool("again\n");
    file.appendLine("info", "done");
    await until(() => text() === "starting\nhello\nagain\ndone\n");
  });

  test("a final flush delivers the unfinished last line and answers that nothing is pending", async () => {
    const { tool, ship } = execution();
    const { sink, text } = server();
    const shipper = ship({ sink, intervalMs: 60_000 });
    tool("one\ntwo without end");
    expect(await shipper.flush(false)).toEqual({ shipped: 4, pending: 15 });
    expect(await shipper.flush(true)).toEqual({ shipped: 19, pending: 0 });
    expect(text()).toBe("one\ntwo without end");
  });

  test("an unfinished line is shown when it is old enough, though the tool keeps writing to it", async () => {
    const { tool, ship } = execution();
    const { sink, text } = server();
    ship({ sink, partialAfterMs: 200 });
    for (let at = 0; at < 20 && text() === ""; at++) {
      tool(".");
      await Bun.sleep(40);
    }
    expect(text()).toMatch(/^\.+$/);
  });

  test("large output goes in batches of at most 1 MiB, one request at a time, and is freed on disk behind them", async () => {
    const { path, tool, ship } = execution();
    const { sink, batches, state, text } = server();
    const shipper = ship({ sink });
    const bytes = block(8);
    tool(bytes);
    expect(await shipper.flush(true)).toEqual({ shipped: bytes.length, pending: 0 });
    expect(text()).toBe(bytes.toString());
    expect(state.most).toBe(1);
    for (const batch of batches) expect(batch.to - batch.from).toBeLessThanOrEqual(MIB);
    expect(statSync(path).size).toBe(bytes.length);
    if (process.platform === "linux") expect(statSync(path).blocks * 512).toBeLessThan(MIB);
    expect(shipper.counters()).toMatchObject({ shippedBytes: bytes.length, droppedBytes: 0, lostBytes: 0 });
  });

  test("a flush gives up waiting at its deadline, and shipping goes on", async () => {
    const { tool, ship } = execution();
    const { sink, hold, release, text } = server();
    const shipper = ship({ sink });
    hold();
    tool("late\n");
    expect(await shipper.flush(true, AbortSignal.timeout(50))).toEqual({ shipped: 0, pending: 5 });
    release();
    await until(() => text() === "late\n");
  });
});

describe("after a restart, or when the server knows better", () => {
  test("a new process goes on from the server's position: nothing lost, nothing twice", async () => {
    const { tool, ship } = execution();
    const { sink, text, state } = server();
    tool("before\nhalf");
    const first = ship({ sink });
    await first.flush(false);
    first.stop();
    tool(" line\nafter\n");
    await ship({ sink, from: state.stored }).flush(true);
    expect(text()).toBe("before\nhalf line\nafter\n");
  });

  test("a process that does not know the position is told it", async () => {
    const { tool, ship } = execution();
    const { sink, text } = server();
    tool("one\n");
    const first = ship({ sink });
    await first.flush(true);
    first.stop();
    tool("two\n");
    const stored: number[] = [];
    await ship({ sink, stored: (position) => stored.push(position) }).flush(true);
    expect(text()).toBe("one\ntwo\n");
    expect(stored.at(-1)).toBe(8);
  });

  test("a server that lost its end gets it again from the file", async () => {
    const { tool, ship } = execution();
    const { sink, text, state, batches } = server();
    const shipper = ship({ sink });
    tool("one\n");
    await shipper.flush(true);
    batches.length = 0;
    state.stored = 0;
    tool("two\n");
    await shipper.flush(true);
    expect(text()).toBe("one\ntwo\n");
  });

  test.skipIf(process.platform !== "linux")(
    "what is freed already is counted in a notice, the rest is sent again",
    async () => {
      const { tool, ship } = execution();
      const { sink, state, batches } = server();
      const shipper = ship({ sink });
      tool(block(3));
      await shipper.flush(true);
      batches.length = 0;
      state.stored = 0;
      tool("the end\n");
      const { pending } = await shipper.flush(true);
      expect(pending).toBe(0);
      const [notice, ...rest] = batches;
      const dropped = notice?.records[0]?.attributes["runner.dropped_bytes"];
      expect(notice?.records[0]?.severity).toBe("warn");
      expect(notice?.from).toBe(0);
      expect(dropped).toBe(notice?.to);
      expect(
        rest
          .flatMap((batch) => batch.records)
          .at(-1)
          ?.text.endsWith("the end"),
      ).toBe(true);
      expect(rest.flatMap((batch) => batch.records).some((record) => record.text.includes("\0"))).toBe(false);
      expect(shipper.counters().lostBytes).toBe(Number(dropped));
    },
  );
});

describe("limits", () => {
  test("an outage keeps at most the cap: the oldest output is dropped and the notice states how much", async () => {
    const { tool, ship } = execution();
    const { sink, hold, release, batches, state } = server();
    const shipper = ship({ sink, capBytes: 2 * MIB });
    tool("first\n");
    hold();
    const done = shipper.flush(false);
    await until(() => state.open === 1);
    tool(block(5));
    tool("last\n");
    await until(() => shipper.counters().droppedBytes > 0);
    release();
    await done;
    await shipper.flush(true);
    const notices = batches.flatMap((batch) => batch.records.filter((record) => record.source === "runner"));
    const dropped = shipper.counters().droppedBytes;
    expect(dropped).toBeGreaterThanOrEqual(3 * MIB);
    expect(dropped).toBeLessThan(3 * MIB + 70_000);
    expect(notices.map((record) => record.attributes["runner.dropped_bytes"])).toEqual([dropped]);
    expect(notices[0]?.text).toContain(`${dropped} bytes`);
    expect(batches[0]?.records[0]?.text).toBe("first");
    const text = batches.flatMap((batch) => batch.records.map((record) => record.text)).join("\n");
    expect(text.endsWith("\nlast")).toBe(true);
    expect(text.split("\n").filter((line) => line !== "" && !/^(0123456789abcdef ){3}/.test(line)).length).toBe(3);
  });

  test.skipIf(process.platform !== "linux")(
    "dropped output stays dropped over a restart and is never sent as zeros",
    async () => {
      const { tool, ship } = execution();
      const { sink, hold, batches } = server();
      hold();
      const first = ship({ sink, capBytes: MIB });
      tool("first\n");
      void first.flush(false);
      await Bun.sleep(20);
      tool(block(4));
      await until(() => first.counters().droppedBytes > 0);
      first.stop();
      const next = server();
      await ship({ sink: next.sink }).flush(true);
      expect(batches).toEqual([]);
      expect(next.text().startsWith("first\n")).toBe(true);
      expect(next.text()).not.toContain("\0");
      const sum = next.batches
        .flatMap((batch) => batch.records)
        .reduce((bytes, record) => bytes + Number(record.attributes["runner.dropped_bytes"] ?? 0), 0);
      expect(sum).toBeGreaterThan(2 * MIB);
    },
  );

  test("a nearly full disk drops what waits but for the last mebibyte", async () => {
    const { tool, ship } = execution();
    const { sink, hold, release, batches } = server();
    hold();
    const shipper = ship({ sink, freeBytes: () => 1, minFreeBytes: 2 });
    tool("first\n");
    void shipper.flush(false);
    await Bun.sleep(20);
    tool(block(3));
    await until(() => shipper.counters().droppedBytes > 0);
    release();
    await shipper.flush(true);
    const notice = batches.flatMap((batch) => batch.records).find((record) => record.source === "runner");
    expect(notice?.text).toContain("the disk was nearly full");
  });

  test("without what redaction needs, the log is withheld with one notice", async () => {
    const { tool, ship, file } = execution();
    const { sink, batches, state } = server();
    const shipper = ship({ sink });
    shipper.withhold("the file with the secrets is gone");
    tool("token=oops\n");
    await shipper.flush(false);
    tool("more\n");
    expect(await shipper.flush(true)).toEqual({ shipped: file.size(), pending: 0 });
    const records = batches.flatMap((batch) => batch.records);
    expect(records.map((record) => record.text)).toEqual([
      "the log is withheld from here on: the file with the secrets is gone",
    ]);
    expect(state.stored).toBe(file.size());
  });
});

describe("a refusal", () => {
  test("stops shipping, says so once, and does not hold up the end of the job", async () => {
    const { tool, ship } = execution();
    const reasons: string[] = [];
    let calls = 0;
    const sink = async () => {
      calls++;
      return fail(new RunnerError("conflict", "stale epoch"));
    };
    const shipper = ship({ sink, onStopped: (error) => reasons.push(error.message) });
    tool("x\n");
    expect(await shipper.flush(true)).toEqual({ shipped: 0, pending: 2 });
    tool("y\n");
    expect(await shipper.flush(true)).toEqual({ shipped: 0, pending: 4 });
    expect(reasons).toEqual(["stale epoch"]);
    expect(calls).toBe(1);
  });
});

describe("the output file", () => {
  test("is private, and appended to by everyone who opens it", () => {
    const { path, file, tool } = execution();
    file.appendLine("info", "a");
    const fd = openForTool(path);
    closeSync(fd);
    tool("b\n");
    file.appendLine("warn", "c");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(file.size()).toBe(statSync(path).size);
  });

  test("takes a text of any length as lines that each fit, redacted as a whole", async () => {
    const { path, nonce, redactor, ship } = execution();
    redactor.register("top secret value");
    const long = `${"x".repeat(65_530)}top secret value${"é🔑".repeat(50_000)}`;
    const file = openOutputFile(path, { nonce, redact: redactor.redactText });
    if (!file.ok) throw file.error;
    file.value.appendLine("info", long);
    file.value.close();
    expect(await Bun.file(path).text()).not.toContain("secret");
    const { sink, batches } = server();
    await ship({ sink }).flush(true);
    const texts = batches.flatMap((batch) => batch.records.map((record) => record.text));
    expect(texts.length).toBeGreaterThan(2);
    expect(texts.join("")).toBe(long.replace("top secret value", "[redacted]"));
  });

  test("on a full disk loses lines without a word to the caller, and the next line that fits says how many", async () => {
    const { path, nonce, ship } = execution();
    let room = 10;
    const write = (fd: number, bytes: Uint8Array) => {
      if (room === 0) throw new Error("ENOSPC: no space left on device, write");
      const part = bytes.subarray(0, Math.min(room, bytes.length));
      room -= part.length;
      return writeSync(fd, part);
    };
    const file = openOutputFile(path, { nonce, write });
    if (!file.ok) throw file.error;
    file.value.appendLine("info", "cut short");
    file.value.appendLine("info", "lost");
    room = 10_000;
    file.value.appendLine("info", "there is room again");
    file.value.appendLine("info", "and again");
    file.value.close();
    const { sink, batches } = server();
    await ship({ sink }).flush(true);
    const own = batches.flatMap((batch) => batch.records.filter((record) => record.source === "runner"));
    expect(own.map((record) => record.text)).toEqual([
      "2 lines of the runner could not be written: the disk was full",
      "there is room again",
      "and again",
    ]);
    expect(own[0]?.attributes).toEqual({ "runner.lost_lines": 2 });
  });

  test("that cannot be opened is an error with a remedy", () => {
    const file = openOutputFile("/nonexistent/folder/output", { nonce: "n" });
    expect(file.ok ? "" : file.error.remedy).toContain("state directory");
  });
});
