import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { addRunner, type Control, startControl } from "../faults/lib/control.ts";
import { makeBed, until } from "../faults/lib/processes.ts";

const bed = makeBed();
let control: Control;
const runner = (...args: string[]) => bed.run(args, control.admin());
const json = async (...args: string[]) => {
  const { code, stdout, stderr } = await runner(...args, "--json");
  if (code !== 0) throw new Error(`${args.join(" ")}: ${code} ${stderr}`);
  expect(stdout.trimEnd().split("\n").length).toBe(1);
  return JSON.parse(stdout);
};

const steps = (...lines: string[]) => {
  const text = lines.map((line, index) => `    - name: s${index}\n      run: |\n        ${line}\n`).join("");
  return `type: actions-workflow\nname: sample\nspec:\n  steps:\n${text}`;
};
const file = (name: string, text: string) => {
  writeFileSync(bed.path(name), text);
  return bed.path(name);
};

beforeAll(async () => {
  control = await startControl(bed);
});
afterAll(() => bed.end());

describe("an operator", () => {
  test("finds the admin key in a file that only its owner can read", () => {
    const path = bed.path("coordinator", "admin.key");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, "utf8").trim().length).toBeGreaterThan(20);
  });

  test("creates a runner, sees it, and gets its token exactly once", async () => {
    const created = await json("runners", "create", "once", "--label", "site=eu-1");
    expect(Object.keys(created).sort()).toEqual(["id", "token"]);
    const shown = await runner("runners", "show", created.id, "--json");
    expect(JSON.parse(shown.stdout)).toMatchObject({ id: created.id, labels: { site: "eu-1" }, contact: "never" });
    expect(shown.stdout + (await runner("runners", "list", "--json")).stdout).not.toContain(created.token);
  });

  test("rotates a token: the old one is refused with exit code 3 and what to check", async () => {
    const created = await json("runners", "create", "rotated");
    const rotated = await json("runners", "rotate", created.id);
    expect(rotated.token).not.toBe(created.token);
    const flags = ["run", "--api-url", control.url, "--runner-id", created.id, "--state-dir", bed.path("rotated")];
    const refused = await bed.run(flags, { RUNNER_API_TOKEN: created.token });
    expect(refused.code).toBe(3);
    expect(refused.stderr).toMatch(/token/);
    expect(refused.stderr).not.toContain(created.token);
  });

  test("deletes a runner", async () => {
    const created = await json("runners", "create", "gone");
    await json("runners", "delete", created.id);
    expect((await runner("runners", "show", created.id)).code).not.toBe(0);
  });

  test("with a wrong key is refused with exit code 3, and the key is not echoed", async () => {
    const { code, stderr } = await bed.run(["job", "list"], { ...control.admin(), RUNNER_ADMIN_KEY: "wrong-key-1" });
    expect(code).toBe(3);
    expect(stderr).toContain("Check RUNNER_ADMIN_KEY");
    expect(stderr).not.toContain("wrong-key-1");
  });

  test("is told why a job waits when no runner is online, and can cancel it", async () => {
    const { job } = await json("job", "submit", "-f", file("waits.yaml", steps("true")));
    await until("the reason", async () => (await json("job", "show", job)).reason === "no_runner_online");
    await json("job", "cancel", job, "--reason", "not needed");
    const shown = await json("job", "show", job);
    expect(shown.status).toBe("cancelled");
    expect(shown.events.some((event: { why: string }) => event.why.includes("not needed"))).toBe(true);
  });
});

describe("with a runner", () => {
  beforeAll(async () => {
    await addRunner(bed, control, { name: "worker" });
    await until("the runner is online", async () => (await control.runners()).some((one) => one.contact === "online"));
  });

  test("`job submit --wait --json` streams the log to stderr and ends with one line on stdout", async () => {
    const path = file("ok.yaml", steps("echo visible; echo answer=42 >> $RUNNER_OUTPUT", "echo again"));
    const { code, stdout, stderr } = await runner("job", "submit", "-f", path, "--wait", "--json");
    expect(code).toBe(0);
    expect(stderr).toContain("visible");
    expect(stdout.trimEnd().split("\n").length).toBe(1);
    const line = JSON.parse(stdout);
    expect(Object.keys(line)).toEqual(["job", "status", "reason", "outputs", "steps", "exit_code"]);
    expect(line).toMatchObject({ status: "finished", reason: "", exit_code: 0 });
    expect(JSON.stringify(line.outputs)).toContain("42");
    expect(line.steps).toMatchObject([
      { name: "s0", status: "finished", exit_code: 0 },
      { name: "s1", status: "finished", exit_code: 0 },
    ]);
    const shown = await json("job", "show", line.job);
    expect(shown.events.some((event: { what: string }) => event.what === "cleanup")).toBe(true);
  });

  test("a failed job is exit code 1, and the step's own code is in the line", async () => {
    const path = file("bad.yaml", steps("exit 7", "echo never"));
    const { code, stdout } = await runner("job", "submit", "-f", path, "--wait", "--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ status: "failed", exit_code: 1, steps: [{ exit_code: 7 }, {}] });
    expect(JSON.parse(stdout).reason).not.toBe("");
  });

  test("a job over its time is exit code 6", async () => {
    const path = file("slow.yaml", `timeout: 1s\n${steps("sleep 60")}`);
    const { code, stdout } = await runner("job", "submit", "-f", path, "--wait", "--json");
    expect([code, JSON.parse(stdout).status]).toEqual([6, "timed-out"]);
  });

  test("`job logs` prints the log byte for byte, and with --json its lines as documents", async () => {
    const path = file("log.yaml", steps("printf 'one\\n\\n  two\\n'; printf three"));
    const { job } = await json("job", "submit", "-f", path, "--wait");
    const { stdout } = await runner("job", "logs", job);
    expect(stdout).toContain("one\n\n  two\nthree");
    const lines = (await runner("job", "logs", job, "--json")).stdout.trimEnd().split("\n");
    expect(lines.map((line) => Object.hasOwn(JSON.parse(line), "cursor")).every(Boolean)).toBe(true);
  });

  test("`job logs --follow` ends when the job has ended", async () => {
    const path = file("follow.yaml", steps("for i in 1 2 3; do echo line $i; sleep 0.2; done"));
    const { job } = await json("job", "submit", "-f", path);
    const { code, stdout } = await runner("job", "logs", job, "--follow");
    expect(code).toBe(0);
    for (const n of [1, 2, 3]) expect(stdout.split(`line ${n}`).length).toBe(2);
  });

  test("`job list` shows the newest first and filters by status", async () => {
    const all = await json("job", "list");
    const times = all.map((job: { created_at: string }) => job.created_at);
    expect(times).toEqual(times.toSorted().reverse());
    const failed = await json("job", "list", "--status", "failed");
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.every((job: { status: string }) => job.status === "failed")).toBe(true);
  });

  test("`job retry` queues a failed job again", async () => {
    const [failed] = await json("job", "list", "--status", "failed");
    const { job } = await json("job", "retry", failed.id);
    expect((await control.ended(job)).status).toBe("failed");
  });

  test("a folder is packed once by its content and comes to the runner with its modes", async () => {
    await bed.run(["version"]);
    const script = bed.path("tools");
    await Bun.write(`${script}/say.sh`, '#!/bin/sh\nprintf "<%s>\\n" "$@"\n');
    Bun.spawnSync(["chmod", "+x", `${script}/say.sh`]);
    const path = file(
      "source.yaml",
      `type: actions-workflow\nspec:\n  steps:\n    - { name: s, source: { path: ./tools }, command: './say.sh "two words" x' }\n`,
    );
    const { code, stderr } = await runner("job", "submit", "-f", path, "--wait", "--json");
    expect(stderr).toContain("<two words>\n<x>");
    expect(code).toBe(0);
  });

  test("a secret named in a job file reaches the job and is hidden in the log", async () => {
    const path = file(
      "secret.yaml",
      `type: actions-workflow\nspec:\n  env: { P: { env: DEMO_SECRET } }\n  steps:\n    - name: s\n      run: |\n        test "$P" = swordfish-9 && echo "it is $P"\n`,
    );
    const env = { ...control.admin(), DEMO_SECRET: "swordfish-9" };
    const { code, stdout, stderr } = await bed.run(["job", "submit", "-f", path, "--wait"], env);
    expect(code).toBe(0);
    expect(stdout + stderr).toContain("it is");
    expect(stdout + stderr).not.toContain("swordfish-9");
  });

  test("workspaces are listed with an empty lock as null", async () => {
    expect(await json("workspaces", "list")).toEqual([]);
    const { code, stderr } = await runner("workspaces", "show", "none");
    expect(code).not.toBe(0);
    expect(stderr).toContain("none");
  });
});
