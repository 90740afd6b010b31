import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { addRunner, startControl, write } from "../faults/lib/control.ts";
import { type Bed, makeBed, until } from "../faults/lib/processes.ts";

/** The token of a runner that works is rotated: real processes, both dialects. */
let bed: Bed;
beforeEach(() => {
  bed = makeBed();
});
afterEach(() => bed.end());

async function begin(flags: string[]) {
  const control = await startControl(bed);
  const identity = await control.createRunner("r1");
  const tokenFile = write(bed, "token", `${identity.token}\n`);
  const runner = await addRunner(bed, control, {
    identity: { ...identity, token: "" },
    flags: ["--token-file", tokenFile, ...flags],
  });
  const rotate = async () => {
    const said = await bed.run(["runners", "rotate", identity.id, "--json"], control.admin());
    return (JSON.parse(said.stdout) as { token: string }).token;
  };
  return { control, identity, tokenFile, runner, rotate };
}

describe.each(["native", "nuon"])("with the token in a file, a runner that speaks %s", (dialect) => {
  test("takes the new one without a restart; its job finishes and shows neither", async () => {
    const { control, identity, tokenFile, runner, rotate } = await begin(["--dialect", dialect]);
    const go = bed.path("go");
    const run = `cat ${tokenFile}; until [ -e ${go} ]; do sleep 0.1; done; cat ${tokenFile}\necho the-end\n`;
    const spec = { type: "actions-workflow", name: "a", spec: { steps: [{ name: "s", run }] } };
    const job = await control.submit(write(bed, "job.json", JSON.stringify(spec)), runner.id);
    await until("it runs", async () => (await control.show(job)).status === "in-progress");

    const token = await rotate();
    await until("the runner notices", () => runner.proc.stderr().includes("the token is refused"));
    writeFileSync(tokenFile, `${token}\n`);
    await until("the runner has it", () => runner.proc.stderr().includes("its file has a new one"));
    writeFileSync(go, "");

    expect((await control.ended(job)).status).toBe("finished");
    const log = await control.log(job);
    expect(log).toContain("the-end");
    expect(log).not.toContain(identity.token);
    expect(log).not.toContain(token);
    const next = await control.submit(write(bed, "next.json", JSON.stringify({ type: "noop" })), runner.id);
    expect((await control.ended(next)).status).toBe("finished");
    expect(runner.proc.alive()).toBe(true);
  }, 60_000);
});

test("a runner whose file holds a refused token from the start says so and ends with code 3", async () => {
  const { tokenFile, runner } = await begin([]);
  await runner.proc.kill9();
  writeFileSync(tokenFile, "no-such-token\n");
  const proc = runner.start();
  expect(await proc.exited).toBe(3);
  expect(proc.stderr()).toContain("401");
}, 30_000);
