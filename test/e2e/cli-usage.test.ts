import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { makeBed } from "../faults/lib/processes.ts";

const bed = makeBed();
afterAll(() => bed.end());

/** What a person sees of a refusal: its exit code, stderr, and that nothing else happened. */
async function refused(args: string[], env: Record<string, string> = {}) {
  const before = readdirSync(bed.root).sort();
  const { code, stdout, stderr } = await bed.run(args, env);
  expect(stdout).toBe("");
  expect(readdirSync(bed.root).sort()).toEqual(before);
  return { code, lines: stderr.trimEnd().split("\n") };
}

describe("the command line explains itself", () => {
  test("`runner --help` names every command, the exit codes and where to begin", async () => {
    const { code, stdout } = await bed.run(["--help"]);
    expect(code).toBe(0);
    for (const word of ["runner up", "run-local", "job submit", "workspaces unlock", "70 a defect", "RUNNER_"]) {
      expect(stdout).toContain(word);
    }
  });

  test("`runner version --json` is one document on one line", async () => {
    const { code, stdout } = await bed.run(["version", "--json"]);
    expect([code, Object.keys(JSON.parse(stdout))]).toEqual([0, ["version", "commit", "target", "release_key"]]);
  });

  test("a family without a command lists its commands, exit code 2", async () => {
    const { code, stdout } = await bed.run(["runners"]);
    expect(code).toBe(2);
    expect(stdout).toContain("runner runners rotate");
  });
});

describe("wrong input ends with exit code 2 and touches nothing", () => {
  test("an unknown command", async () => {
    expect(await refused(["coordinater"])).toEqual({
      code: 2,
      lines: ['runner: unknown command "coordinater"', "  → Did you mean `runner coordinator`?"],
    });
  });

  test("a command of a later version", async () => {
    const { code, lines } = await refused(["serve"]);
    expect([code, lines[0]]).toEqual([2, "runner: `runner serve` is not built into this version"]);
  });

  test("an unknown flag", async () => {
    expect(await refused(["coordinator", "--data-dri", "x"])).toEqual({
      code: 2,
      lines: ["runner: unknown option --data-dri of `runner coordinator`", "  → Did you mean --data-dir?"],
    });
  });

  test("a value of a wrong type in the environment, as one JSON line when asked for", async () => {
    const { code, lines } = await refused(["run", "--log-format", "json"], { RUNNER_MIN_FREE: "lots" });
    expect([code, lines.length]).toEqual([2, 1]);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      kind: "usage",
      exit_code: 2,
      text: expect.stringContaining('min-free (environment RUNNER_MIN_FREE): found "lots", allowed is a size'),
    });
  });

  test("an unknown key of the config file", async () => {
    writeFileSync(bed.path("config.yaml"), "log-cpa: 1GiB\n");
    const { code, lines } = await refused(["run", "--config", "config.yaml"]);
    expect([code, lines[1]]).toEqual([2, "  → Did you mean log-cap?"]);
    expect(lines[0]).toContain('config.yaml: unknown key "log-cpa"');
  });

  test("an unknown key of a job file", async () => {
    writeFileSync(bed.path("typo.yaml"), "type: actions-workflow\nspec: { stepz: [] }\n");
    const { code, lines } = await refused(["run-local", "typo.yaml"]);
    expect(code).toBe(2);
    expect(lines.join("\n")).toMatch(/typo\.yaml: spec: unknown key "stepz".*steps/);
  });

  test("the second of two job files, before the first one is run", async () => {
    const step = `run: "touch ${bed.path("ran")}"`;
    writeFileSync(bed.path("good.yaml"), `type: actions-workflow\nspec: { steps: [{ name: a, ${step} }] }\n`);
    expect((await refused(["run-local", "good.yaml", "typo.yaml"])).code).toBe(2);
    expect(existsSync(bed.path("ran"))).toBe(false);
  });

  test("a runner without an identity", async () => {
    const { code, lines } = await refused(["run", "--api-url", "http://127.0.0.1:1"]);
    expect([code, lines[1]]).toEqual([2, "  → Give --runner-id or set RUNNER_ID."]);
  });

  test("plain HTTP on an address that others reach", async () => {
    const { code, lines } = await refused(["coordinator", "--listen", "0.0.0.0:0", "--data-dir", "d"]);
    expect([code, lines[0]]).toEqual([2, "runner: plain HTTP on 0.0.0.0 would send keys and tokens in clear"]);
  });

  test("a certificate without its key", async () => {
    const { code, lines } = await refused(["coordinator", "--tls-cert", "c.pem", "--data-dir", "d"]);
    expect([code, lines[0]]).toEqual([2, "runner: --tls-key is missing"]);
  });
});

test("a misspelt variable is named, and the command goes on", async () => {
  const { code, stderr } = await bed.run(["version"], { RUNNER_STATE_DRI: "x" });
  expect(code).toBe(0);
  expect(stderr).toContain("RUNNER_STATE_DRI is not known; did you mean RUNNER_STATE_DIR?");
});

test("an operator command without a coordinator ends with exit code 3 and says what to check", async () => {
  const { code, lines } = await refused(["job", "list", "--coordinator-url", "http://127.0.0.1:1"], {
    RUNNER_ADMIN_KEY: "k",
  });
  expect(code).toBe(3);
  expect(lines.at(-1)).toBe("  → Is it running? Check --coordinator-url (RUNNER_COORDINATOR_URL).");
});
