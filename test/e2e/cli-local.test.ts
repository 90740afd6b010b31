import { afterAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startControl } from "../faults/lib/control.ts";
import { freePort, makeBed, until } from "../faults/lib/processes.ts";

const bed = makeBed();
afterAll(() => bed.end());
const terraform = Bun.which("terraform") !== null;
cpSync(join(import.meta.dir, "../../examples"), bed.path("examples"), {
  recursive: true,
  filter: (path) => !path.endsWith("/.runner"),
});

const action = (name: string, ...lines: string[]) => {
  const body = lines.map((line) => `        ${line}\n`).join("");
  const path = bed.path(`${name}.yaml`);
  writeFileSync(
    path,
    `type: actions-workflow\nname: ${name}\nspec:\n  steps:\n    - name: only\n      run: |\n${body}`,
  );
  return path;
};
const lastLine = (stdout: string) => JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");

describe("every example works as it says", () => {
  const run = async (file: string, env: Record<string, string> = {}) => {
    const { code, stdout, stderr } = await bed.run(["run-local", "--json", `examples/${file}`], env);
    return { code, line: lastLine(stdout), stderr };
  };

  test("quickstart/hello.yaml", async () => {
    const { code, line, stderr } = await run("quickstart/hello.yaml");
    expect([code, line.status, line.outputs.greeting]).toEqual([0, "finished", "Hello, world"]);
    expect(stderr).toContain("Hello, world, from Linux");
  });

  test("shared-folder.yaml", async () => {
    const { code, line, stderr } = await run("shared-folder.yaml");
    expect([code, line.outputs.items]).toEqual([0, "1\n2\n3"]);
    expect(stderr).toContain("argument: <two words>");
  });

  test("secret.yaml", async () => {
    const { code, stderr } = await run("secret.yaml", { DEMO_SECRET: "swordfish" });
    expect(code).toBe(0);
    expect(stderr).toContain("the password is ");
    expect(stderr).not.toContain("swordfish");
  });

  test("report.yaml", async () => {
    const { code, line, stderr } = await run("report.yaml");
    expect([code, line.outputs]).toEqual([0, { mean: 20, largest: 30 }]);
    expect(stderr).toContain("latency: 3 values, mean 20 ms");
    expect(line.steps.map((step: { name: string }) => step.name)).toEqual(["script"]);
  });

  test.skipIf(!terraform)("quickstart/network.yaml, then destroy.yaml in the same workspace (terraform)", async () => {
    const network = await run("quickstart/network.yaml");
    expect([network.code, network.line.outputs.subnets.length]).toEqual([0, 3]);
    // Both keep their state beside themselves, so the state is carried over for this test.
    cpSync(bed.path("examples/quickstart/.runner"), bed.path("examples/.runner"), { recursive: true, force: true });
    const destroy = await run("destroy.yaml");
    expect(destroy.code).toBe(0);
    expect(destroy.stderr).toContain("3 destroyed");
  });

  test.skipIf(!terraform)("approval.yaml is not applied where nobody can be asked (terraform)", async () => {
    const { code, line, stderr } = await run("approval.yaml");
    expect(code).toBe(5);
    expect(line.steps.map((step: { name: string }) => step.name)).not.toContain("apply");
    expect(stderr).toContain("needs approval");
  });
});

describe("run-local", () => {
  test("leaves nothing of a run behind but the log and the state", async () => {
    const { code } = await bed.run(["run-local", action("clean", "echo hi > file")]);
    expect(code).toBe(0);
    expect(readdirSync(bed.path(".runner", "runs"))).toEqual([]);
  });

  test("runs several files one after another and ends with the worst exit code", async () => {
    const files = [action("one", "echo one"), action("two", "exit 3"), action("three", "echo three")];
    const { code, stdout, stderr } = await bed.run(["run-local", "--json", ...files]);
    expect(code).toBe(1);
    const lines = stdout.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).exit_code)).toEqual([0, 1, 0]);
    expect(stderr.indexOf("one")).toBeLessThan(stderr.indexOf("three"));
  });

  test("writes outputs in clear into a file for its owner alone", async () => {
    const path = bed.path("out.env");
    const flags = ["--outputs", path, "--outputs-format", "env"];
    const { code } = await bed.run(["run-local", ...flags, action("outputs", `echo "a=it's" >> "$RUNNER_OUTPUT"`)]);
    expect(code).toBe(0);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, "utf8")).toContain("a='it'\\''s'\n");
  });

  test("is cancelled by Ctrl-C: exit code 5, the tool is gone, the end is told", async () => {
    const proc = bed.spawn(["run-local", "--json", action("long", "echo $$ > pid-file; echo begun; sleep 300")]);
    await until("the step runs", () => proc.stderr().includes("begun"));
    proc.signal("SIGINT");
    expect(await proc.exited).toBe(5);
    expect(lastLine(proc.stdout())).toMatchObject({ status: "cancelled", exit_code: 5 });
    const left = Bun.spawnSync(["pgrep", "-f", `${bed.root}.*sleep 300`]).stdout.toString();
    expect(left).toBe("");
  });

  test("without a file takes ./job.yaml", async () => {
    writeFileSync(bed.path("job.yaml"), readFileSync(action("named-job", "echo from-job-yaml"), "utf8"));
    const { code, stdout } = await bed.run(["run-local"]);
    expect(code).toBe(0);
    expect(stdout).toContain("from-job-yaml");
  });

  test("piped writes plain lines: no escape sequence, no spinner", async () => {
    const { stdout, stderr } = await bed.run(["run-local", action("plain", "printf '\\033[31mred\\033[0m\\n'")]);
    expect(stdout).toContain("red");
    expect(stdout + stderr).not.toContain("\x1b");
  });
});

describe("a bad start is said in one sentence before anything is touched", () => {
  const lines = (stderr: string) => stderr.trimEnd().split("\n");

  test("a port in use", async () => {
    const port = freePort();
    const other = Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } });
    const flags = ["--listen", `127.0.0.1:${port}`, "--data-dir", "taken"];
    const { code, stderr } = await bed.run(["coordinator", ...flags]);
    other.stop(true);
    expect([code, lines(stderr).length]).toEqual([2, 2]);
    expect(stderr).toContain(`127.0.0.1:${port}`);
    expect(existsSync(bed.path("taken"))).toBe(false);
  });

  test("a data directory that cannot be made", async () => {
    writeFileSync(bed.path("a-file"), "");
    const { code, stderr } = await bed.run(["coordinator", "--listen", "127.0.0.1:0", "--data-dir", "a-file/data"]);
    expect([code, lines(stderr).length]).toEqual([2, 2]);
    expect(stderr).toContain("a-file/data");
  });

  test("a data directory in use", async () => {
    const control = await startControl(bed);
    const flags = ["--listen", "127.0.0.1:0", "--data-dir", bed.path("coordinator")];
    const { code, stderr } = await bed.run(["coordinator", ...flags]);
    expect([code, lines(stderr).length]).toEqual([2, 2]);
    expect((await fetch(`${control.url}/readyz`)).ok).toBe(true);
    await control.proc.kill9();
  });

  test("a job file that is not there", async () => {
    const { code, stderr } = await bed.run(["run-local", "nowhere.yaml"]);
    expect([code, lines(stderr).length]).toEqual([2, 2]);
    expect(stderr).toContain("nowhere.yaml cannot be read: there is no such file");
  });
});
