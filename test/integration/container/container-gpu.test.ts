import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Engine } from "../../bed/engines.ts";
import { addRunner, type Control, startControl, write } from "../../faults/lib/control.ts";
import { type Bed, makeBed, until } from "../../faults/lib/processes.ts";
import { BUSYBOX, skipEngine, startEngine } from "./bed.ts";

const ONE = "GPU-5a3c1f0e-8b1d-4c55-9c1e-0f1b7b0f6f01";
const TWO = "GPU-77e0c1aa-2f3b-44d2-8a3e-6a9f3b6e2c02";

/**
 * There is no GPU here: `nvidia-smi` says what a real one said, and the engine loses the one argument that only a
 * machine with a driver can obey. All else is real: the job file, the queue, the lease, the runner, the container.
 */
const NVIDIA_SMI = `#!/bin/sh
echo "${ONE}, NVIDIA A100-SXM4-40GB, 40960"
echo "${TWO}, NVIDIA A100-SXM4-40GB, 40960"
`;
const standIn = (program: string, argv: string) => `#!/bin/sh
for arg do
  shift
  case $arg in
    --device=nvidia.com/gpu=*|--gpus=*) printf '%s\\n' "$arg" >> ${argv} ;;
    *) set -- "$@" "$arg" ;;
  esac
done
exec ${program} "$@"
`;

const ARGUMENT = {
  podman: (uuid: string) => `--device=nvidia.com/gpu=${uuid}`,
  docker: (uuid: string) => `--gpus="device=${uuid}"`,
};
const WORK = "echo begun >> /trace/$NAME; while [ ! -e /trace/gate ]; do sleep 0.05; done";

for (const name of ["podman", "docker"] as const) {
  describe.skipIf(skipEngine(name))(`the GPUs of a runner with ${name}`, () => {
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
      mkdirSync(bed.path("bin"));
      write(bed, "bin/nvidia-smi", NVIDIA_SMI);
      write(bed, `bin/${name}`, standIn(Bun.which(name) ?? "", bed.path("argv")));
      const profile = { network: "none", mounts: [{ from: bed.path("trace"), to: "/trace", writable: true }] };
      writeFileSync(bed.path("profiles.yaml"), JSON.stringify({ profiles: { traced: profile } }), { mode: 0o600 });
    });
    afterEach(() => bed.end());

    const submit = (job: string, gpus: number) => {
      const spec = { image: BUSYBOX, command: ["sh", "-c", WORK], env: { NAME: job }, profile: "traced" };
      const file = write(
        bed,
        `${job}.json`,
        JSON.stringify({ type: "container", name: job, requires: { gpus }, spec }),
      );
      return control.submit(file);
    };
    const action = (job: string, gpus: number, run: string, env: Record<string, string> = {}) => {
      const spec = { env, steps: [{ name: job, run }] };
      const text = JSON.stringify({ type: "actions-workflow", name: job, requires: { gpus }, spec });
      return control.submit(write(bed, `${job}.json`, text));
    };
    const begun = (job: string) => until(`${job} works`, () => existsSync(bed.path("trace", job)));
    const given = () => readFileSync(bed.path("argv"), "utf8").trim().split("\n");
    const waits = (id: string) =>
      until("it waits for a GPU", async () => (await control.show(id)).reason === "no_gpu_count");

    test("go from the job file to the engine's argument, each to one job, over restarts of both halves", async () => {
      const env = {
        ...engine.env,
        PATH: `${bed.path("bin")}:${process.env.PATH}`,
        RUNNER_CONTAINER_ENGINE: name,
        RUNNER_CONTAINER_PROFILES: bed.path("profiles.yaml"),
        RUNNER_CONCURRENCY: "containers=4,actions=4",
      };
      const runner = await addRunner(bed, control, { env });
      const first = await submit("first", 1);
      await begun("first");
      const second = await submit("second", 1);
      await begun("second");
      const third = await submit("third", 1);
      await waits(third);
      expect((await control.show(third)).waiting_for).toContain("r1 has 0 of 2 free");
      expect(given()).toEqual([ONE, TWO].map(ARGUMENT[name]));

      await control.restart();
      await runner.proc.kill9();
      runner.proc = runner.start(env);
      await until("the runner is back", async () => (await control.runners())[0]?.contact === "online");
      // Taken and done after the restarts: the claims that could have given the third one something are over too.
      expect((await control.ended(await action("pass", 0, "true"))).reason).toBe("");
      await waits(third);
      expect(given()).toHaveLength(2);

      writeFileSync(bed.path("trace", "gate"), "");
      for (const id of [first, second, third]) expect((await control.ended(id)).reason).toBe("");
      expect(given()).toHaveLength(3);
      expect([ONE, TWO].map(ARGUMENT[name])).toContain(given()[2] ?? "");

      const show = 'echo "sees=$CUDA_VISIBLE_DEVICES=$NVIDIA_VISIBLE_DEVICES" >> "$RUNNER_OUTPUT"';
      const both = await control.ended(await action("look", 2, show, { CUDA_VISIBLE_DEVICES: "all" }));
      expect([both.reason, both.outputs]).toMatchObject(["", { sees: `${ONE},${TWO}=${ONE},${TWO}` }]);
    }, 120_000);
  });
}
