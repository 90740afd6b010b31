import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../kit/base/clock.ts";
import { silentLog } from "../../kit/base/system-log.ts";
import { ok } from "../../protocol/errors.ts";
import { type OpenUpdate, openUpdateJournal, type UpdateJournal } from "./update-journal.ts";
import { createUpdater } from "./updater.ts";

let state: string;
let journal: UpdateJournal;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "runner-updater-"));
  journal = openUpdateJournal(state);
});
afterEach(() => rmSync(state, { recursive: true, force: true }));

const OPEN: OpenUpdate = {
  id: "job1",
  cause: "job",
  wanted: "2.0.0",
  version: "2.0.0",
  from: "1.0.0",
  before: null,
  phase: "switch",
  reason: "",
  starts: 0,
  guarded: false,
  started_ms: 1,
};

const never = () => Promise.reject(new Error("nothing is switched or stopped"));

/** `asked`: what its service manager was told. */
function updaterOf(current: string, previous: string | null, asked: string[] = []) {
  return createUpdater({
    journal,
    versions: {
      kind: "binary",
      toolsOutlive: true,
      pointers: () => ({ current, previous }),
      is: (wanted, version) => wanted === version,
      settled: (wanted, version) => wanted === version,
      stage: never,
      has: async () => true,
      point: never,
      prune: async () => {},
      missing: "",
    },
    manager: {
      kind: "systemd",
      state: never,
      start: async () => {
        asked.push("start");
        return ok(undefined);
      },
      stop: never,
      close: () => {},
    },
    options: { deadlineMs: 1, settleMs: 1, when: "reattach" },
    ownVersion: null,
    reachable: () => true,
    ownReady: Promise.resolve(),
    leave: () => {},
    clock: systemClock,
    log: silentLog,
  });
}

test("a rollback where no version was before this one fails with that as its answer, also for who asked a running mng", async () => {
  const outcome = await updaterOf("1.0.0", null).rollback("person:1", "it hangs");
  const answer = { outcome: "failed", from: "1.0.0", reason: "nothing was changed: there is no previous version here" };
  expect(outcome).toMatchObject(answer);
  expect(journal.read()).toMatchObject({ open: null, last: { id: "person:1", ...answer }, bad: [] });
});

test.each(["stop", "switch", "start", "probation", "self", "back"] as const)(
  "a version that install.sh puts in place in the middle of an update (%s) stays",
  async (phase) => {
    const asked: string[] = [];
    const updater = updaterOf("3.0.0", "1.0.0", asked);
    journal.write({ ...journal.read(), open: { ...OPEN, phase } });
    await updater.resume();
    expect(asked).toEqual(["start"]);
    expect(journal.read()).toMatchObject({
      open: null,
      last: { outcome: "failed", reason: "3.0.0 was installed meanwhile, and stays" },
    });
  },
);
