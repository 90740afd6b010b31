import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Engine } from "../../bed/engines.ts";
import { type Registry, registryMissing, startRegistry } from "../../bed/registry.ts";
import {
  addRunner,
  type Control,
  cleanAfter,
  outcomes,
  type RunnerHandle,
  startControl,
} from "../../faults/lib/control.ts";
import { type Bed, makeBed, until } from "../../faults/lib/processes.ts";
import { startWire, type Wire } from "../../faults/lib/tcp-proxy.ts";
import { BUSYBOX, skipEngine, startEngine } from "./bed.ts";

const KILLED = 137;
const CANARY = "container-canary-8f2a61";

/** Says where it is on /trace, waits for the gate there, gives an output. */
const WORK = `echo begin >> /trace/job; echo "line one"; echo "odd one" >&2
while [ ! -e /trace/gate ]; do sleep 0.05; done
echo worked >> /trace/job; echo "line two"; echo "odd two" >&2; echo answer=42 >> "$RUNNER_OUTPUT"`;
/** Ends by TERM in its own time, and says so. */
const POLITE = `trap 'echo bye >> /trace/job; echo "last words"; exit 0' TERM
echo begin >> /trace/job; while :; do sleep 0.05; done`;
/** A first process of a container ignores TERM by itself. */
const DEAF = "echo begin >> /trace/job; while :; do sleep 0.05; done";

for (const name of ["podman", "docker"] as const) {
  describe.skipIf(skipEngine(name))(`a container job by ${name}`, () => {
    let engine: Engine;
    let bed: Bed;
    let control: Control;
    beforeAll(async () => {
      engine = await startEngine(name);
    }, 60_000);
    afterAll(() => engine?.end());
    beforeEach(async () => {
      bed = makeBed();
      control = await startControl(bed);
      mkdirSync(bed.path("trace"));
      chmodSync(bed.path("trace"), 0o777);
      const profile = { network: "none", mounts: [{ from: bed.path("trace"), to: "/trace", writable: true }] };
      writeFileSync(bed.path("profiles.yaml"), JSON.stringify({ profiles: { traced: profile } }), { mode: 0o600 });
    });
    afterEach(async () => {
      await bed.end();
      expect(containers()).toEqual([]);
    });

    const containers = () =>
      engine
        .run("ps", "--all", "--filter", "label=dev.runner.instance", "--format", "{{.Names}}")
        .split("\n")
        .filter(Boolean);
    const env = (extra: Record<string, string> = {}) => ({
      ...engine.env,
      RUNNER_CONTAINER_ENGINE: name,
      RUNNER_CONTAINER_PROFILES: bed.path("profiles.yaml"),
      ...extra,
    });
    const runnerWith = (extra: Record<string, string> = {}) => addRunner(bed, control, { env: env(extra) });
    const submit = (code: string, more: { image?: string; timeout?: string; grace?: string } = {}) => {
      const { image = BUSYBOX, timeout, grace } = more;
      const spec = { image, command: ["sh", "-c", code], env: { SECRET: { env: "CANARY" } }, profile: "traced" };
      const limits = { ...(timeout ? { timeout } : {}), ...(grace ? { cancel_grace: grace } : {}) };
      writeFileSync(bed.path("job.yaml"), JSON.stringify({ type: "container", name: "job", ...limits, spec }));
      return control.submit(bed.path("job.yaml"), undefined, { CANARY });
    };
    const trace = () =>
      existsSync(bed.path("trace/job")) ? readFileSync(bed.path("trace/job"), "utf8").trim().split("\n") : [];
    const release = () => writeFileSync(bed.path("trace/gate"), "");
    const begun = () => until("it works", () => trace().includes("begin"));
    const back = () => until("the runner is back", async () => (await control.runners())[0]?.contact === "online");

    async function finishedOnce(id: string, runner: RunnerHandle): Promise<void> {
      const doc = await control.ended(id);
      expect([doc.status, doc.reason]).toEqual(["finished", ""]);
      expect(doc.outputs).toMatchObject({ answer: "42" });
      expect(outcomes(doc)).toEqual(["finished"]);
      expect(trace()).toEqual(["begin", "worked"]);
      const log = await control.log(id);
      for (const line of ["line one", "line two", "odd one", "odd two"]) expect(log.split(line)).toHaveLength(2);
      await cleanAfter(bed, control, runner, [CANARY]);
    }

    const phases: [string, string][] = [
      ["before it was made", "runner.exec.intent"],
      ["while it was being made", "runner.exec.spawned"],
      ["when it had just been made", "runner.exec.ended"],
      ["before it was started", "runner.exec.intent:2"],
      ["when it had just been started", "runner.exec.spawned:2"],
    ];
    for (const [when, failpoint] of phases) {
      test(`whose runner is killed with SIGKILL ${when} runs once and ends once`, async () => {
        const runner = await runnerWith({ RUNNER_FAILPOINT: failpoint });
        const id = await submit(WORK);
        expect(await runner.proc.exited).toBe(KILLED);
        runner.proc = runner.start(env());
        release();
        await finishedOnce(id, runner);
      }, 60_000);
    }

    test("goes on while its runner is killed with SIGKILL, and is taken up again: its log is whole", async () => {
      const runner = await runnerWith();
      const id = await submit(WORK);
      await begun();
      await runner.proc.kill9();
      runner.proc = runner.start(env());
      await back();
      release();
      await finishedOnce(id, runner);
    }, 60_000);

    test("ends while its runner is away: its output and its end are not lost", async () => {
      const runner = await runnerWith();
      const id = await submit(WORK);
      await begun();
      await runner.proc.kill9();
      release();
      await until("it is over", () => trace().includes("worked"));
      runner.proc = runner.start(env());
      await finishedOnce(id, runner);
    }, 60_000);

    const stops: [string, string, string | undefined, string[]][] = [
      ["ends by itself when it is asked to", POLITE, undefined, ["begin", "bye"]],
      ["is killed when it does not listen", DEAF, "3s", ["begin"]],
    ];
    for (const [how, code, grace, left] of stops) {
      test(`that is cancelled ${how}, and nothing of it is left`, async () => {
        const runner = await runnerWith();
        const id = await submit(code, grace === undefined ? {} : { grace });
        await begun();
        expect((await control.post(`/jobs/${id}/cancel`)).status).toBe(200);
        const doc = await control.ended(id);
        expect([doc.status, outcomes(doc), trace()]).toEqual(["cancelled", ["cancelled"], left]);
        if (code === POLITE) expect(await control.log(id)).toContain("last words");
        await cleanAfter(bed, control, runner, [CANARY]);
      }, 60_000);
    }

    test("that is cancelled after a restart of its runner ends too", async () => {
      const runner = await runnerWith();
      const id = await submit(POLITE);
      await begun();
      await runner.restart(env());
      await back();
      expect((await control.post(`/jobs/${id}/cancel`)).status).toBe(200);
      const doc = await control.ended(id);
      expect([doc.status, trace()]).toEqual(["cancelled", ["begin", "bye"]]);
      await cleanAfter(bed, control, runner, [CANARY]);
    }, 60_000);

    test("that runs longer than its timeout is stopped and says so", async () => {
      const runner = await runnerWith();
      const doc = await control.ended(await submit(POLITE, { timeout: "3s" }));
      expect([doc.status, outcomes(doc)]).toEqual(["timed-out", ["timed-out"]]);
      expect(doc.reason).toContain("timeout of 3 s");
      await cleanAfter(bed, control, runner, [CANARY]);
    }, 60_000);

    test("whose engine client is killed is followed on to its end", async () => {
      const runner = await runnerWith();
      const id = await submit(WORK);
      await begun();
      const found = Bun.spawnSync(["pgrep", "-f", `^\\S*${name} start --attach runner-`])
        .stdout.toString()
        .trim()
        .split("\n");
      const own = found
        .map(Number)
        .filter((pid) => pid > 0 && readFileSync(`/proc/${pid}/environ`, "utf8").includes(bed.root));
      expect(own.length).toBeGreaterThan(0);
      for (const pid of own) process.kill(pid, "SIGKILL");
      await until("it is followed again", async () => (await control.log(id)).includes("following it again"));
      release();
      const doc = await control.ended(id);
      expect([doc.status, doc.reason, trace()]).toEqual(["finished", "", ["begin", "worked"]]);
      await cleanAfter(bed, control, runner, [CANARY]);
    }, 60_000);

    test("that an earlier process of the runner left behind is removed at the start, one of others is not", async () => {
      const runner = await runnerWith();
      await back();
      const id = await submit(`${WORK}`);
      await begun();
      const [mine = ""] = containers();
      const label =
        name === "podman"
          ? '{{index .Config.Labels "dev.runner.instance"}}'
          : '{{index .Config.Labels "dev.runner.instance"}}';
      const instance = engine.run("inspect", "--type", "container", "--format", label, mine).trim();
      const make = (own: string, who: string) =>
        engine.run(
          "create",
          `--name=${own}`,
          `--label=dev.runner.instance=${who}`,
          "--label=dev.runner.execution=over",
          "--network=none",
          BUSYBOX,
          "true",
        );
      make("left-mine", instance);
      make("left-others", "somebody-else");
      await runner.restart(env());
      await until("it is swept", () => !containers().includes("left-mine"));
      expect(containers().sort()).toEqual([mine, "left-others"].sort());
      release();
      await finishedOnce(id, runner);
      engine.run("rm", "left-others");
    }, 60_000);

    describe.skipIf(registryMissing() !== null && process.env.CI !== "true")(
      "from a registry that stands still",
      () => {
        let registry: Registry;
        let wire: Wire;
        beforeEach(async () => {
          registry = await startRegistry();
          wire = await startWire({ port: Number(registry.host.split(":")[1]) });
          const there = `${registry.host}/held:1`;
          engine.run("tag", BUSYBOX, there);
          engine.run("push", ...(name === "podman" ? ["--tls-verify=false"] : []), there);
          engine.run("rmi", there);
          wire.holdAfter = 1;
        });
        afterEach(async () => {
          wire.stop();
          await registry.end();
        });
        const image = () => `127.0.0.1:${wire.port}/held:1`;

        test("is cancelled while it is pulled", async () => {
          const runner = await runnerWith();
          const id = await submit(WORK, { image: image() });
          await until("the pull stands still", () => wire.held());
          expect((await control.post(`/jobs/${id}/cancel`)).status).toBe(200);
          const doc = await control.ended(id);
          expect([doc.status, trace()]).toEqual(["cancelled", []]);
          await cleanAfter(bed, control, runner, [CANARY]);
        }, 60_000);

        test("is pulled on while its runner is killed with SIGKILL", async () => {
          const runner = await runnerWith();
          const id = await submit(WORK, { image: image() });
          await until("the pull stands still", () => wire.held());
          await runner.proc.kill9();
          runner.proc = runner.start(env());
          await back();
          wire.holdAfter = null;
          wire.release();
          release();
          await finishedOnce(id, runner);
          engine.run("rmi", image());
        }, 60_000);
      },
    );
  });
}
