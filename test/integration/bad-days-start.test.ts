import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addRunner, startControl } from "../faults/lib/control.ts";
import { type Bed, freePort, makeBed, until } from "../faults/lib/processes.ts";

/** A start that cannot work: one sentence with its remedy, exit code 2, nothing touched. Real processes and file systems. */
let bed: Bed;
let mounted: string[] = [];
beforeEach(() => {
  bed = makeBed();
  mounted = [];
});
afterEach(async () => {
  for (const folder of mounted) spawnSync("umount", ["-l", folder]);
  await bed.end();
});

const canMount = (() => {
  const probe = mkdtempSync(join(tmpdir(), "runner-mount-"));
  const able = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", probe]).status === 0;
  if (able) spawnSync("umount", [probe]);
  rmSync(probe, { recursive: true, force: true });
  return able;
})();
const mountTest = test.skipIf(!canMount);

function mount(name: string, options: string): string {
  const folder = bed.path(name);
  mkdirSync(folder);
  expect(spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder]).status).toBe(0);
  mounted.push(folder);
  return folder;
}

/** Names, sizes, times and contents of everything below. */
const snapshot = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => `${path} ${statSync(path).size} ${Bun.hash(readFileSync(path))}`);

async function refused(args: readonly string[], says: readonly string[], env: Record<string, string> = {}) {
  const before = snapshot(bed.root);
  const { code, stdout, stderr } = await bed.run(args, env);
  const lines = stderr.trimEnd().split("\n");
  for (const words of says) expect(stderr).toContain(words);
  expect(lines).toHaveLength(2);
  expect(lines[0]).toStartWith("runner: ");
  expect(lines[1]).toStartWith("  → ");
  expect([code, stdout]).toEqual([2, ""]);
  expect(snapshot(bed.root)).toEqual(before);
}

const coordinator = (dataDir: string, port = 0) => [
  "coordinator",
  "--listen",
  `127.0.0.1:${port}`,
  "--data-dir",
  dataDir,
];
/** A runner whose control plane would answer nobody: the folder is looked at first. */
const runner = (stateDir: string) => ["run", "--state-dir", stateDir];
const identity = { RUNNER_API_URL: "http://127.0.0.1:9", RUNNER_ID: "runx", RUNNER_API_TOKEN: "token-of-nobody" };

describe("a coordinator does not start", () => {
  test("on the port of another coordinator, which goes on alone", async () => {
    const control = await startControl(bed);
    await refused(coordinator("second", control.port), [`127.0.0.1:${control.port}`, "--listen"]);
    expect((await fetch(`${control.url}/readyz`)).ok).toBe(true);
  });

  test("on the port of another program", async () => {
    const port = freePort();
    const other = Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } });
    await refused(coordinator("data", port), [`127.0.0.1:${port}`, "--listen"]);
    other.stop(true);
  });

  test("where a file is in the place of its folder", async () => {
    writeFileSync(bed.path("file"), "mine");
    await refused(coordinator("file"), [bed.path("file")]);
    await refused(coordinator("file/data"), [bed.path("file/data")]);
  });

  mountTest("in a folder on a read-only file system", async () => {
    const folder = mount("ro", "ro");
    await refused(coordinator(join(folder, "data")), [join(folder, "data")]);
    await refused(coordinator(folder), [folder]);
  });

  mountTest("in a folder on a full disk, and says so", async () => {
    const folder = mount("full", "size=64k");
    spawnSync("sh", ["-c", `cat /dev/zero > ${folder}/filler`]);
    await refused(coordinator(folder), [folder, "space"]);
  });

  const DAMAGE: Readonly<Record<string, (file: string) => void>> = {
    "full of garbage": (file) => writeFileSync(file, crypto.getRandomValues(new Uint8Array(40_000))),
    "cut off": (file) => truncateSync(file, statSync(file).size / 2),
    "with garbage in its middle": (file) => {
      const bytes = readFileSync(file);
      crypto.getRandomValues(bytes.subarray(4096, 20_480));
      writeFileSync(file, bytes);
    },
    "of a newer version": (file) => {
      const db = new Database(file);
      db.run("pragma user_version = 900");
      db.close();
    },
  };
  for (const [what, damage] of Object.entries(DAMAGE)) {
    test(`with a database ${what}, which it names and leaves as it is`, async () => {
      const control = await startControl(bed);
      await control.createRunner("one");
      control.proc.signal("SIGTERM");
      expect(await control.proc.exited).toBe(0);
      const file = bed.path("coordinator", "coordinator.db");
      damage(file);
      await refused(coordinator("coordinator"), [file]);
    });
  }
});

describe("a runner does not start", () => {
  test("where a file is in the place of its folder", async () => {
    writeFileSync(bed.path("file"), "mine");
    await refused(runner("file"), [bed.path("file"), "--state-dir"], identity);
    await refused(runner("file/state"), [bed.path("file/state"), "--state-dir"], identity);
  });

  mountTest("in a folder on a read-only file system", async () => {
    const folder = mount("ro", "ro");
    await refused(runner(join(folder, "state")), [join(folder, "state"), "--state-dir"], identity);
    await refused(runner(folder), [folder, "--state-dir"], identity);
  });

  mountTest("in a folder on a full disk, and says so", async () => {
    const folder = mount("full", "size=64k");
    spawnSync("sh", ["-c", `cat /dev/zero > ${folder}/filler`]);
    await refused(runner(folder), [folder, "space"], identity);
  });

  test("in the folder of a living one, whatever its own identity", async () => {
    const control = await startControl(bed);
    const first = await addRunner(bed, control);
    await until("the first is online", async () => (await control.runners())[0]?.contact === "online");
    const { code, stderr } = await bed.run(runner(first.stateDir), identity);
    expect(code).toBe(2);
    expect(stderr.trimEnd().split("\n")).toHaveLength(2);
    expect(stderr).toContain(`${first.stateDir} is in use by another runner`);
    expect(first.proc.alive()).toBe(true);
  });
});

describe("who is refused learns what to check, exit code 3", () => {
  test("a runner with a wrong token or an unknown id", async () => {
    const control = await startControl(bed);
    const known = await control.createRunner("one");
    for (const wrong of [{ RUNNER_API_TOKEN: "wrong" }, { RUNNER_ID: "runnobody" }]) {
      const { code, stderr } = await bed.run(runner("state"), {
        RUNNER_API_URL: control.url,
        RUNNER_ID: known.id,
        RUNNER_API_TOKEN: known.token,
        ...wrong,
      });
      expect(code).toBe(3);
      expect(stderr).toContain(Object.keys(wrong)[0] ?? "");
      expect(stderr).not.toContain(known.token);
    }
  });

  const OPERATOR: readonly (readonly string[])[] = [
    ["job", "list"],
    ["job", "show", "jobx"],
    ["job", "logs", "jobx"],
    ["job", "cancel", "jobx"],
    ["job", "retry", "jobx"],
    ["job", "approve", "chgx"],
    ["job", "reject", "chgx"],
    ["job", "submit", "-f", "noop.yaml"],
    ["runners", "list"],
    ["runners", "create", "x"],
    ["runners", "show", "runx"],
    ["workspaces", "list"],
    ["workspaces", "show", "w"],
    ["workspaces", "unlock", "w"],
  ];
  for (const args of OPERATOR) {
    test(`\`runner ${args.slice(0, 2).join(" ")}\`: nobody answers`, async () => {
      writeFileSync(bed.path("noop.yaml"), "type: noop\n");
      const url = `http://127.0.0.1:${freePort()}`;
      const away = await bed.run([...args, "--coordinator-url", url], { RUNNER_ADMIN_KEY: "a-key-of-nobody-at-all" });
      expect([away.code, away.stdout]).toEqual([3, ""]);
      expect(away.stderr).toContain(url);
      expect(away.stderr).toContain("--coordinator-url");
      expect(away.stderr.trimEnd().split("\n")).toHaveLength(2);
    });
  }

  test("every operator command with a wrong key", async () => {
    const control = await startControl(bed);
    writeFileSync(bed.path("noop.yaml"), "type: noop\n");
    for (const args of OPERATOR) {
      const { code, stderr } = await bed.run([...args], {
        ...control.admin(),
        RUNNER_ADMIN_KEY: "a-key-of-nobody-at-all",
      });
      expect([args.join(" "), code]).toEqual([args.join(" "), 3]);
      expect(stderr).toContain("RUNNER_ADMIN_KEY");
      expect(stderr).not.toContain("a-key-of-nobody");
    }
  });
});
