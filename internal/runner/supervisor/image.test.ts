import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openImageFile } from "./image-file.ts";
import { isImage, wantedImage } from "./image-name.ts";
import { createSystemdManager } from "./systemd-manager.ts";

const PLACE = "registry.example.com/team/runner";
const DIGEST = `sha256:${"a".repeat(64)}`;
const OTHER = `sha256:${"b".repeat(64)}`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "runner-image-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the file that names the image", () => {
  test("of a person has one line; what mng writes is read again as it was, and only root's", () => {
    const file = openImageFile(join(folder, "image.env"));
    expect(file.read()).toEqual({ current: null, previous: null, older: [] });
    writeFileSync(file.path, `# mine\nRUNNER_IMAGE="${PLACE}:1.0.0"\n`);
    expect(file.read().current).toBe(`${PLACE}:1.0.0`);
    const use = {
      current: `${PLACE}:2.0.0@${DIGEST}`,
      previous: `${PLACE}:1.0.0`,
      older: [`${PLACE}:a`, `${PLACE}:b`],
    };
    file.write(use);
    expect(file.read()).toEqual(use);
    expect(statSync(file.path).mode & 0o777).toBe(0o600);
    file.write({ ...use, previous: null, older: [] });
    appendFileSync(file.path, `RUNNER_IMAGE=${PLACE}:3.0.0\n`);
    expect(file.read().current).toBe(`${PLACE}:3.0.0`);
    file.write({ ...use, previous: null, older: [] });
    expect(readFileSync(file.path, "utf8")).toEndWith(`\nRUNNER_IMAGE=${PLACE}:2.0.0@${DIGEST}\n`);
  });
});

describe("an image is asked for", () => {
  const forms: Record<string, string> = {
    "2.0.0": `${PLACE}:2.0.0`,
    [`2.0.0@${DIGEST}`]: `${PLACE}@${DIGEST}`,
    [DIGEST]: `${PLACE}@${DIGEST}`,
    [`${PLACE}:2.0.0`]: `${PLACE}:2.0.0`,
  };
  for (const [wanted, text] of Object.entries(forms)) {
    test(`as ${wanted.slice(0, 40)}`, () => expect(wantedImage(wanted, PLACE).text).toBe(text));
  }

  for (const wanted of ["evil.example.com/team/runner:2.0.0", "other/runner:2.0.0", "a b", "-v", "x:y:z"]) {
    test(`as ${wanted}: refused`, () => expect(() => wantedImage(wanted, PLACE)).toThrow());
  }

  test("and is there already when tag or digest are those in use, from the same place", () => {
    const used = `${PLACE}:2.0.0@${DIGEST}`;
    const answers = ["2.0.0", DIGEST, `2.0.0@${DIGEST}`, `2.0.0@${OTHER}`, "2.0.1", "evil.example.com/x/y:2.0.0"];
    expect(answers.map((wanted) => isImage(wanted, used))).toEqual([true, true, true, false, false, false]);
  });
});

test("a unit whose runner lives in a container is ready when that one is, and is ended with it", async () => {
  const asked: string[] = [];
  const shown = "LoadState=loaded\nActiveState=active\nSubState=running\nMainPID=7\nNRestarts=0\nStatusText=\n";
  const clock = { now: () => 0, monotonic: () => 0, sleep: async () => {} };
  let ready = false;
  const manager = createSystemdManager("runner-image.service", clock, {
    async run(...args) {
      asked.push(args.slice(0, 2).join(" "));
      return { code: 0, stdout: args[0] === "show" ? shown : "", stderr: "" };
    },
    presence: () => ({ pid: 8, startTime: "1", bootId: "b", version: "2.0.0", ready, draining: false }),
    kill: async () => void asked.push("kill the container"),
  });
  expect((await manager.state()).ready).toBe(false);
  ready = true;
  expect(await manager.state()).toMatchObject({ ready: true, pid: 7 });
  asked.length = 0;
  await manager.stop("leave");
  expect(asked).toEqual(["kill the container", "stop runner-image.service"]);
});
