import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../../kit/base/system-log.ts";
import type { RunnerEvent } from "../../protocol/native.ts";
import { reportUpdates } from "./report-updates.ts";
import type { LastUpdate, UpdateDocument } from "./update-journal.ts";

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "runner-told-"));
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

const ENDED = Date.UTC(2026, 0, 1);
const update = (id: string, how: Partial<LastUpdate>): LastUpdate => ({
  id,
  cause: "settings",
  version: "2.0.0",
  from: "1.0.0",
  outcome: "updated",
  reason: "",
  started_ms: ENDED,
  ended_ms: ENDED,
  told: true,
  ...how,
});

/** Goes round once for each of these ends; answers what was told, `taken` deciding whether it was. */
async function round(
  ends: readonly (LastUpdate | null)[],
  { now = ENDED, taken = () => true }: { now?: number; taken?: () => boolean } = {},
): Promise<RunnerEvent[]> {
  const told: RunnerEvent[] = [];
  const stop = new AbortController();
  let at = 0;
  await reportUpdates({
    stateDir,
    journal: { read: (): UpdateDocument => ({ schema: 1, open: null, last: ends[at] ?? null, bad: [] }) },
    tell: async (event) => {
      told.push(event);
      return taken();
    },
    log: silentLog,
    signal: stop.signal,
    clock: {
      now: () => now,
      monotonic: () => 0,
      sleep: async () => {
        at++;
        if (at >= ends.length) stop.abort();
      },
    },
  });
  return told;
}

test("an update that nobody but the settings asked for is told once, a restart later too", async () => {
  const done = update("a", {});
  expect(await round([null, done, done])).toEqual([
    { id: "a", what: "updated", why: "1.0.0 → 2.0.0 (asked by settings)" },
  ]);
  expect(await round([done])).toEqual([]);
});

test("one that was taken back, or failed, is told with its reason", async () => {
  const ends = [
    update("a", { outcome: "rolled-back", reason: "it was not ready within 120 s; 1.0.0 runs again" }),
    update("b", { outcome: "failed", version: "", cause: "person", reason: "nothing was changed: no space" }),
  ];
  expect(await round(ends)).toEqual([
    {
      id: "a",
      what: "update-rolled-back",
      why: "1.0.0 → 2.0.0 (asked by settings): it was not ready within 120 s; 1.0.0 runs again",
    },
    { id: "b", what: "update-failed", why: "1.0.0 → ? (asked by person): nothing was changed: no space" },
  ]);
});

test("what came of nothing is not told", async () => {
  expect(await round([update("a", { outcome: "current", reason: "2.0.0 is installed already" })])).toEqual([]);
});

test("one that this process could not tell any more is told by the next, with when it was", async () => {
  const done = update("a", { outcome: "rolled-back", reason: "sick" });
  expect((await round([done], { taken: () => false })).length).toBe(1);
  expect(await round([done], { now: ENDED + 3_600_000 })).toEqual([
    {
      id: "a",
      what: "update-rolled-back",
      why: "1.0.0 → 2.0.0 (asked by settings, at 2026-01-01T00:00:00.000Z): sick",
    },
  ]);
});
