import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, until } from "../faults/lib/processes.ts";
import { commandsOf } from "../lib/doc-blocks.ts";

/** The commands of the README in a fresh clone, with npm alone: as the person who has just found the project. */
const folder = mkdtempSync(join(tmpdir(), "runner-clone-"));
const clone = join(folder, "runner");
const origin = join(import.meta.dir, "../..");
const terraform = Bun.which("terraform") !== null;

const npm = (args: string[], env: Record<string, string> = {}) =>
  Bun.spawn(["npm", ...args], {
    cwd: clone,
    // A person's shell, not this test run: CI and the binary under test stay outside.
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? folder, TMPDIR: folder, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });

async function finish(proc: ReturnType<typeof npm>) {
  const [stdout, stderr] = await Promise.all([new Response(proc.stdout).text(), new Response(proc.stderr).text()]);
  return { code: await proc.exited, stdout, stderr };
}

describe("in a fresh clone", () => {
  beforeAll(() => {
    const made = Bun.spawnSync(["git", "clone", "--quiet", "--depth=1", `file://${origin}`, clone]);
    expect(made.stderr.toString()).toBe("");
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("the README has just the commands that are run here", () => {
    expect(commandsOf("README.md", "clone")).toEqual(["npm start\n", "npm test\n"]);
  });

  test("`npm start -- --once` sets up, builds, runs the quickstart and ends with exit code 0", async () => {
    const { code, stdout, stderr } = await finish(npm(["start", "--", "--once"]));
    expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""]);
    expect(stdout).toContain("greeting = Hello, world");
    if (terraform) expect(stdout).toContain('subnets = ["10.0.0.0/24","10.0.1.0/24","10.0.2.0/24"]');
    else expect(stderr).toContain("The terraform part of the quickstart is left out");
  }, 180_000);

  test("`npm start` without terraform runs the action and says what is missing, exit code 0", async () => {
    const tools = join(folder, "bin");
    const links = ["sh", "node", "npm", "npx", "git", "uname", "env", "cat"].flatMap((name) => Bun.which(name) ?? []);
    Bun.spawnSync(["mkdir", "-p", tools]);
    for (const path of links) Bun.spawnSync(["ln", "-sf", path, tools]);
    const nowhere = `http://127.0.0.1:${freePort()}`;
    const env = { PATH: tools, RUNNER_TOOLS_DIR: join(folder, "tools"), RUNNER_TOOLS_MIRROR: nowhere };
    const { code, stdout, stderr } = await finish(npm(["start", "--", "--once"], env));
    expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""]);
    expect(stdout).toContain("greeting = Hello, world");
    expect(stderr).toMatch(/The terraform part of the quickstart is left out: terraform.* was not found/);
  }, 180_000);

  test("`npm start` goes on after the quickstart with a page, and Ctrl-C ends it", async () => {
    const port = freePort();
    const proc = npm(["start", "--", "--listen", `127.0.0.1:${port}`]);
    const page = await until("the page", () => fetch(`http://127.0.0.1:${port}/`).catch(() => null), 60_000);
    expect(page.headers.get("content-type")).toContain("text/html");
    const [, binary] =
      Bun.spawnSync(["pgrep", "-f", `${clone}/dist/runner up`])
        .stdout.toString()
        .match(/^(\d+)/) ?? [];
    let told = "";
    const read = async () => {
      for await (const chunk of proc.stderr) told += new TextDecoder().decode(chunk);
    };
    const reading = read();
    await until("the quickstart is done", () => told.includes("Ctrl-C ends it"), 60_000);
    process.kill(Number(binary), "SIGINT");
    expect(await proc.exited).toBe(0);
    await reading;
  }, 180_000);

  test("`npm test` sets up, runs the tests asked for and ends with the count", async () => {
    const { code, stdout } = await finish(npm(["test", "--", "./internal/config"]));
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n").at(-1)).toMatch(/^\d+ passed, 0 failed$/);
  }, 180_000);
});
