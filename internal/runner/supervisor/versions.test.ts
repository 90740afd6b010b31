import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../kit/base/clock.ts";
import { silentLog } from "../../kit/base/system-log.ts";
import { ok } from "../../protocol/errors.ts";
import { guardStart } from "./guard.ts";
import { withInstallLock } from "./install-lock.ts";
import { type Layout, makeVersionFolder, openLayout, prefixOf } from "./layout.ts";
import { createOwnUpdate } from "./own-update.ts";
import { presenceOf, writePresence } from "./presence.ts";
import { stageInstalled } from "./stage.ts";
import { openUpdateJournal, type UpdateJournal } from "./update-journal.ts";

let root: string;
let layout: Layout;
let journal: UpdateJournal;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "runner-versions-"));
  layout = openLayout(root);
  journal = openUpdateJournal(join(root, "state"));
  for (const version of ["1.0.0", "2.0.0", "3.0.0"]) install(version);
  layout.point({ current: "1.0.0", previous: null });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function install(version: string): void {
  mkdirSync(join(layout.root, "versions", version), { recursive: true });
  writeFileSync(layout.binary(version), `#!/bin/sh\necho ${version}\n`);
  chmodSync(layout.binary(version), 0o755);
}
const own = (stage = async () => ok({ version: "2.0.0" })) =>
  createOwnUpdate({ layout, journal, stage, settleMs: 0, log: silentLog });
const guard = (by: "guard" | "itself") => guardStart({ layout, journal, now: () => 7, by });

describe("the installed versions", () => {
  test("are named by relative links, and what neither names is removed", () => {
    layout.point({ current: "2.0.0", previous: "1.0.0" });
    expect(readlinkSync(join(layout.root, "current"))).toBe("versions/2.0.0");
    const incoming = join(layout.root, "versions", ".incoming-1");
    mkdirSync(incoming);
    layout.prune();
    expect(["1.0.0", "2.0.0", "3.0.0"].map(layout.has)).toEqual([true, true, false]);
    expect(existsSync(incoming)).toBe(true);
  });

  test("tell a program where it was installed", () => {
    expect(prefixOf("/usr/local/lib/runner/versions/1.0.0/runner")).toBe("/usr/local");
    expect(prefixOf("/lib/runner/versions/1.0.0/runner")).toBe("/");
    expect(prefixOf("/usr/bin/runner")).toBeNull();
  });

  test("are tried before they are used: one that says it is another version is refused", async () => {
    expect(await stageInstalled(layout, "2.0.0")).toEqual(ok({ version: "2.0.0" }));
    writeFileSync(layout.binary("2.0.0"), "#!/bin/sh\necho 9.9.9\n");
    const refused = await stageInstalled(layout, "2.0.0");
    expect(refused.ok ? "" : refused.error.message).toContain("it says that it is 9.9.9");
  });

  test("are not touched while an install.sh lives; the lock of a dead one is taken over", async () => {
    const lock = join(layout.root, ".lock");
    writeFileSync(lock, "999999999 no-such-boot 1\n");
    expect(await withInstallLock(layout.root, systemClock, 0, () => existsSync(lock))).toBe(true);
    expect(existsSync(lock)).toBe(false);
    const sleeper = Bun.spawn(["sleep", "60"]);
    const stat = await Bun.file(`/proc/${sleeper.pid}/stat`).text();
    const boot = (await Bun.file("/proc/sys/kernel/random/boot_id").text()).trim();
    writeFileSync(lock, `${sleeper.pid} ${boot} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}\n`);
    try {
      const refused = withInstallLock(layout.root, systemClock, 0, () => "worked");
      await expect(refused).rejects.toThrow(`an install (process ${sleeper.pid}) is at work`);
    } finally {
      sleeper.kill();
      await sleeper.exited;
    }
  });
});

describe("a version that replaced its own program", () => {
  test("is taken for healthy when it has been ready for a while", async () => {
    expect(await own().prepare("job1", "v2.0.0")).toEqual(ok("2.0.0"));
    expect(layout.pointers()).toEqual({ current: "2.0.0", previous: "1.0.0" });
    expect(guard("itself")).toBe("go");
    await own().ready("2.0.0", new AbortController().signal);
    expect(journal.read()).toMatchObject({ open: null, last: { outcome: "updated", from: "1.0.0" } });
  });

  test("is started three times; then the one before it is back, and says why once", async () => {
    await own().prepare("job1", "v2.0.0");
    expect([guard("itself"), guard("itself"), guard("itself"), guard("itself")]).toEqual([
      "go",
      "go",
      "go",
      "rolled-back",
    ]);
    expect(layout.pointers()).toEqual({ current: "1.0.0", previous: null });
    expect(guard("itself")).toBe("go");
    const said: string[] = [];
    const log = { ...silentLog, error: (text: string) => void said.push(text) };
    const next = createOwnUpdate({ layout, journal, stage: async () => ok({ version: "" }), settleMs: 0, log });
    next.tellLast();
    next.tellLast();
    expect(said).toEqual(["an update was rolled back"]);
    expect(journal.read().bad).toEqual([
      { version: "2.0.0", reason: "it was started 3 times and never became healthy", at_ms: 7 },
    ]);
  });

  test("is counted once for each start, whether by the guard of the version before or by itself", async () => {
    await own().prepare("job1", "v2.0.0");
    for (let start = 1; start <= 3; start++) {
      expect([guard("guard"), guard("itself"), journal.read().open?.starts]).toEqual(["go", "go", start]);
    }
    expect(guard("guard")).toBe("rolled-back");
  });

  test("is switched to after a crash that came before the links were moved", async () => {
    await own().prepare("job1", "v2.0.0");
    layout.point({ current: "1.0.0", previous: null });
    expect(await own().prepare("job1", "v2.0.0")).toEqual(ok("2.0.0"));
    expect(layout.pointers()).toEqual({ current: "2.0.0", previous: "1.0.0" });
  });

  test("asked for twice by the same job changes nothing more", async () => {
    await own().prepare("job1", "v2.0.0");
    expect(await own(async () => ok({ version: "3.0.0" })).prepare("job1", "v2.0.0")).toEqual(ok("2.0.0"));
    expect(layout.pointers().current).toBe("2.0.0");
  });
});

test("a version reads the journal and the presence that a newer one wrote", () => {
  mkdirSync(join(root, "state"));
  const newer = { schema: 1, open: null, last: null, bad: [], since: "a later version" };
  writeFileSync(journal.file, JSON.stringify(newer));
  expect(journal.read()).toEqual({ schema: 1, open: null, last: null, bad: [] });
  writePresence(join(root, "state"), { version: "9.0.0", ready: true, draining: false });
  const file = join(root, "state/process.json");
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), since: "a later version" }));
  expect(presenceOf(join(root, "state"))).toMatchObject({ pid: process.pid, version: "9.0.0" });
});

test("a runner that drains goes on doing so when its session is lost and found again", () => {
  mkdirSync(join(root, "state"));
  const how = { version: "1.0.0", ready: true, draining: false };
  writePresence(join(root, "state"), { ...how, draining: true });
  writePresence(join(root, "state"), how);
  expect(presenceOf(join(root, "state"))?.draining).toBe(true);
});

test("a runner that puts something else in place of its presence does not hold up who looks after it", () => {
  const state = join(root, "state");
  mkdirSync(state);
  for (const made of [["mkfifo"], ["ln", "-s", "/dev/zero"], ["mkdir"], ["truncate", "-s", "1T"]]) {
    rmSync(join(state, "process.json"), { recursive: true, force: true });
    expect(Bun.spawnSync([...made, join(state, "process.json")]).exitCode).toBe(0);
    expect(presenceOf(state)).toBeNull();
  }
});

test("what a fetch that was killed left of a version goes with the next", () => {
  const part = join(layout.root, "versions/2.0.0/.runner.7.abc.part");
  writeFileSync(part, "half");
  makeVersionFolder(layout, "2.0.0");
  expect([existsSync(part), layout.has("2.0.0")]).toEqual([false, true]);
});

test("a damaged journal of updates is named with its file", () => {
  mkdirSync(join(root, "state"));
  writeFileSync(journal.file, "{");
  expect(() => journal.read()).toThrow(`the journal of updates ${journal.file} cannot be used`);
});
