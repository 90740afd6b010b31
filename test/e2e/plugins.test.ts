import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseJobFile } from "../../internal/protocol/job-file-parse.ts";
import { addRunner, type Control, startControl } from "../faults/lib/control.ts";
import { makeBed, until } from "../faults/lib/processes.ts";

const bed = makeBed();
let control: Control;
const EXAMPLES = new URL("../../examples/handlers/", import.meta.url).pathname;
const handlers = (name: string, files: Readonly<Record<string, string>>): string => {
  mkdirSync(bed.path(name), { recursive: true, mode: 0o755 });
  for (const [file, text] of Object.entries(files)) writeFileSync(bed.path(name, file), text, { mode: 0o644 });
  return bed.path(name);
};
const job = (type: string, spec: object) => {
  writeFileSync(bed.path(`${type}.json`), JSON.stringify({ type, spec, timeout: "60s" }));
  return bed.path(`${type}.json`);
};
const local = async (type: string, spec: object, folder: string, env: Record<string, string> = {}) => {
  const args = ["run-local", job(type, spec), "--json", "--handlers-dir", folder];
  const { code, stdout, stderr } = await bed.run(args, { PATH: process.env.PATH ?? "", ...env });
  return { code, log: stderr, end: JSON.parse(stdout.trim().split("\n").at(-1) || "null") };
};

beforeAll(async () => {
  control = await startControl(bed);
});
afterAll(() => bed.end());

/** Waits for a file to be there, so that a test decides when it ends. */
const SLOW = `
export const handler = ({ z }) => ({
  types: ["x-slow"],
  plan: z.strictObject({ gate: z.string(), trace: z.string() }),
  async execute(ctx) {
    const script = 'echo begun >> "$1"; while [ ! -e "$2" ]; do sleep 0.1; done; echo ended >> "$1"';
    await ctx.step({ name: "wait" }, () => ctx.exec({
      key: "wait", argv: ["/bin/sh", "-c", script, "sh", ctx.plan.trace, ctx.plan.gate],
      env: ctx.tools.env({}), cwd: ctx.workspace.root,
    }));
  },
  async outputs() { return { waited: true }; },
});
`;
const OTHERS = `
export const handler = ({ z }) => ({
  types: ["x-throws", "x-secret", "x-deaf"],
  sensitive: ["token"],
  plan: z.looseObject({ token: z.string().optional(), trace: z.string().optional() }),
  async execute(ctx) {
    if (ctx.job.type === "x-throws") throw new Error("the door is closed");
    ctx.log.info("using " + ctx.plan.token);
  },
  async outputs(ctx) { return { token: ctx.plan.token ?? "" }; },
  async cleanup(ctx) { if (ctx.plan.trace) await Bun.write(ctx.plan.trace, "cleaned"); },
});
`;

describe("a plug-in", () => {
  test("of the examples runs as its job file says, with steps and outputs", async () => {
    cpSync(EXAMPLES, bed.path("examples"), { recursive: true });
    chmodSync(bed.path("examples"), 0o755);
    const args = ["run-local", bed.path("examples/disk-report.yaml"), "--json", "--handlers-dir", bed.path("examples")];
    const { code, stdout } = await bed.run(args, { PATH: process.env.PATH ?? "" });
    const end = JSON.parse(stdout);
    expect([code, end.status, end.steps.map((one: { name: string }) => one.name)]).toEqual([
      0,
      "finished",
      ["measure"],
    ]);
    expect(end.outputs.used_percent).toBeWithin(0, 101);
  });

  test("that throws fails its job with the message, and its cleanup runs", async () => {
    const trace = bed.path("trace-throws");
    const { code, end } = await local("x-throws", { trace }, handlers("others", { "others.ts": OTHERS }));
    expect([code, end.status, end.reason]).toEqual([1, "failed", "the door is closed"]);
    expect(readFileSync(trace, "utf8")).toBe("cleaned");
  });

  test("gets secrets that its job file names, and they are shown nowhere", async () => {
    const folder = handlers("others", { "others.ts": OTHERS });
    const env = { DOOR_TOKEN: "s3cret-of-the-door" };
    const { code, log, end } = await local("x-secret", { token: { env: "DOOR_TOKEN" } }, folder, env);
    expect([code, end.outputs]).toEqual([0, { token: "[redacted]" }]);
    expect(log).toContain("using [redacted]");
    expect(log + JSON.stringify(end)).not.toContain("s3cret");
  });

  test("whose schema a spec does not fit refuses the job and names the place", async () => {
    const { code, end } = await local("x-slow", { gate: 5, trace: "" }, handlers("slow", { "slow.ts": SLOW }));
    expect([code, end.status]).toEqual([1, "failed"]);
    expect(end.reason).toContain("gate: expected string");
  });

  test("that nobody has is said by run-local at once, exit code 2", async () => {
    const { code, log } = await local("x-nobody", {}, handlers("slow", { "slow.ts": SLOW }));
    expect(code).toBe(2);
    expect(log).toContain("no plug-in has the job type x-nobody");
    expect(log).toContain("--handlers-dir");
  });
});

describe("the coordinator", () => {
  const admin = (...args: string[]) => bed.run(args, control.admin());
  const submit = async (type: string, spec: object) => {
    const { code, stdout, stderr } = await admin("job", "submit", "-f", job(type, spec), "--json");
    if (code !== 0) throw new Error(stderr);
    return JSON.parse(stdout).job as string;
  };
  const show = async (id: string) => JSON.parse((await admin("job", "show", id, "--json")).stdout);

  test("keeps a job of a plug-in waiting with no_compatible_runner until a runner has it", async () => {
    const plain = await addRunner(bed, control, { name: "plain" });
    const [gate, trace] = [bed.path("gate-wait"), bed.path("trace-wait")];
    const id = await submit("x-slow", { gate, trace });
    await until("it waits", async () => (await show(id)).reason === "no_compatible_runner");
    expect((await admin("job", "list")).stdout).toContain("x-slow");
    const folder = handlers("slow", { "slow.ts": SLOW });
    const able = await addRunner(bed, control, { name: "able", flags: ["--handlers-dir", folder] });
    await until("it runs", () => existsSync(trace));
    writeFileSync(gate, "");
    const end = await until("it ends", async () => {
      const found = await show(id);
      return found.status === "finished" ? found : null;
    });
    expect(end.outputs).toEqual({ waited: true });
    await plain.proc.kill9();
    await able.proc.kill9();
  });

  test("sees a job of a plug-in end as if nothing had happened when its runner was killed and started again", async () => {
    const folder = handlers("slow", { "slow.ts": SLOW });
    const runner = await addRunner(bed, control, { name: "killed", flags: ["--handlers-dir", folder] });
    const [gate, trace] = [bed.path("gate-kill"), bed.path("trace-kill")];
    const id = await submit("x-slow", { gate, trace });
    await until("it runs", () => existsSync(trace));
    await runner.restart(); // after SIGKILL
    writeFileSync(gate, "");
    await until("it ends", async () => (await show(id)).status === "finished");
    expect(readFileSync(trace, "utf8")).toBe("begun\nended\n");
    await runner.proc.kill9();
  });

  test("cancels a job of a plug-in: its program is stopped", async () => {
    const folder = handlers("slow", { "slow.ts": SLOW });
    const runner = await addRunner(bed, control, { name: "cancelled", flags: ["--handlers-dir", folder] });
    const trace = bed.path("trace-cancel");
    const id = await submit("x-slow", { gate: bed.path("never"), trace });
    await until("it runs", () => existsSync(trace));
    await admin("job", "cancel", id);
    await until("it is cancelled", async () => (await show(id)).status === "cancelled");
    expect(readFileSync(trace, "utf8")).toBe("begun\n");
    await runner.proc.kill9();
  });
});

test("a runner with a bad plug-in starts, says which and why, and works the good one", async () => {
  const folder = handlers("mixed", { "a-bad.ts": "export const x = 1;", "b-good.ts": OTHERS });
  const runner = await addRunner(bed, control, { name: "mixed", flags: ["--handlers-dir", folder] });
  const told = await until("it says so", () => /plug-in refused.*a-bad\.ts.*/.exec(runner.proc.stderr())?.[0]);
  expect(told).toContain("does not export a function");
  expect(runner.proc.stderr()).toMatch(/plug-in loaded.*x-throws, x-secret, x-deaf/);
  await runner.proc.kill9();
});

test("`runner explain` shows a plug-in's keys, and a job file that fits them is taken", async () => {
  const { code, stdout } = await bed.run(["explain", "x-disk-report", "--handlers-dir", EXAMPLES]);
  expect(code).toBe(0);
  expect(stdout).toContain("spec.folders *");
  expect(stdout).toContain("folders whose disks are looked at");
  expect(parseJobFile(readFileSync(`${EXAMPLES}disk-report.yaml`, "utf8"), "disk-report.yaml").ok).toBeTrue();
});
