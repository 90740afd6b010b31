import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../faults/lib/processes.ts";

/** The images' keeper under the shells that people have, around a program that ends as it is told. */
const PID1 = join(import.meta.dir, "../../../bundle/container/rootfs/usr/local/lib/runner/pid1");
const SHELLS = ["dash", "busybox", "bash"].filter((name) => Bun.which(name) !== null);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pid1-"));
  mkdirSync(join(folder, "bin"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const starts = () => lines("starts").length;
const lines = (name: string) =>
  existsSync(join(folder, name)) ? readFileSync(join(folder, name), "utf8").trim().split("\n") : [];

/** `body`: what the program does; `$n` is which start this is. */
function keep(body: string, args: readonly string[] = ["run"], shell = "sh") {
  const text = `#!/bin/sh\ncd ${folder}\necho "$*" >> starts\nn=$(grep -c . starts)\n${body}\n`;
  writeFileSync(join(folder, "bin/runner"), text, { mode: 0o755 });
  const argv = shell === "busybox" ? ["busybox", "sh"] : [shell];
  return Bun.spawn([...argv, PID1, ...args], {
    env: { PATH: `${folder}/bin:${process.env.PATH}` },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

const WORK = `trap 'echo term >> terms; [ -e stubborn ] || exit 0' TERM; touch up; while :; do sleep 0.05; done`;

describe("the keeper of a container", () => {
  for (const code of [0, 2, 3, 4]) {
    test(`lets the container end with ${code} when the runner ends with it`, async () => {
      const kept = keep(`exit ${code}`);
      expect(await kept.exited).toBe(code);
      expect(starts()).toBe(1);
    });
  }

  for (const shell of SHELLS) {
    test(`in ${shell}: starts a runner that crashed again with the same arguments, and says so`, async () => {
      const kept = keep('[ "$n" -gt 1 ] || kill -9 $$\nexit 0', ["run", "--mode", "install"], shell);
      expect(await kept.exited).toBe(0);
      expect(lines("starts")).toEqual(["run --mode install", "run --mode install"]);
      expect(await new Response(kept.stderr).text()).toContain(
        "the runner ended with code 137; it starts again in 0 s, and takes up what still runs",
      );
    });

    test(`in ${shell}: passes each SIGTERM on, waits for the drain, and ends with the runner's code`, async () => {
      writeFileSync(join(folder, "stubborn"), "");
      const kept = keep(WORK, ["run"], shell);
      await until("it works", () => existsSync(join(folder, "up")));
      kept.kill("SIGTERM");
      await until("the first came through", () => lines("terms").length === 1);
      expect(kept.exitCode).toBeNull();
      rmSync(join(folder, "stubborn"));
      kept.kill("SIGTERM");
      expect(await kept.exited).toBe(0);
      expect(lines("terms")).toEqual(["term", "term"]);
      expect(starts()).toBe(1);
    });
  }

  test("does not start a runner again that crashed after it was asked to stop", async () => {
    const kept = keep(WORK.replace("exit 0", "exit 70"));
    await until("it works", () => existsSync(join(folder, "up")));
    kept.kill("SIGTERM");
    expect(await kept.exited).toBe(70);
    expect(starts()).toBe(1);
  });

  test("waits longer after each crash", async () => {
    const kept = keep('[ "$n" -gt 3 ] || exit 70\nexit 0');
    expect(await kept.exited).toBe(0);
    const said = await new Response(kept.stderr).text();
    expect([...said.matchAll(/in (\d+) s/g)].map(([, seconds]) => seconds)).toEqual(["0", "1", "2"]);
  });

  test("stands aside for every command that is no runner", async () => {
    for (const args of [["version"], ["coordinator", "--listen", "x"], ["job", "list"], ["mng", "update", "2"]]) {
      const kept = keep("exit 70", args);
      expect(await kept.exited).toBe(70);
    }
    expect(lines("starts")).toEqual(["version", "coordinator --listen x", "job list", "mng update 2"]);
  });
});
