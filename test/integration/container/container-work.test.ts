import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import type { Engine } from "../../bed/engines.ts";
import { folderOf } from "../../lib/handler-harness.ts";
import { BUSYBOX, containerJob, left, skipEngine, startEngine } from "./bed.ts";

for (const name of ["podman", "docker"] as const) {
  describe.skipIf(skipEngine(name))(`a container by ${name}`, () => {
    let engine: Engine;
    beforeAll(async () => {
      engine = await startEngine(name);
    }, 60_000);
    afterAll(() => engine?.end());
    const ends: (() => void)[] = [];
    afterEach(() => {
      for (const end of ends.splice(0)) end();
      expect(left(engine)).toEqual([]);
    });
    const job = (...[plan, options]: [Parameters<typeof containerJob>[1], Parameters<typeof containerJob>[2]?]) => {
      const made = containerJob(engine, plan, options);
      ends.push(made.end);
      return made;
    };
    const sh = (code: string) => ({ command: ["sh", "-c", code] });

    test("runs its command on the source, and gives outputs and the image's digest", async () => {
      const source = folderOf({ "data/a.txt": "from the source" });
      ends.push(() => rmSync(source, { recursive: true, force: true }));
      const run = job(
        {
          ...sh('cat a.txt; echo "who=$WHO" >> "$RUNNER_OUTPUT"; echo made > b.txt'),
          env_vars: { WHO: "world" },
          source: { registry: { RegistryType: "private_oci", Repository: "sources/x" }, tag: "t", path: "data" },
        },
        { sources: { t: source } },
      );
      const { status, reason, outputs, cleanupError } = await run.run();
      expect([status, reason, cleanupError]).toEqual(["finished", "", null]);
      expect(outputs).toMatchObject({ who: "world" });
      expect(outputs?.image_digest).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(run.log()).toContain("from the source");
      expect(run.steps).toEqual([{ name: "container", id: undefined, status: "finished", code: 0 }]);
    });

    test("has no rights, no network, no room but /tmp and its workspace, and limits of its own", async () => {
      const run = job(
        {
          ...sh(`id -u; grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status
            ls /sys/class/net; touch /x || echo root is read-only; touch /tmp/x && touch /workspace/x && echo room
            cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max
            cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max; true`),
        },
        { wishes: { resources: { cpu: 1, memory_bytes: 100 * 2 ** 20 } } },
      );
      expect((await run.run()).status).toBe("finished");
      const log = run.log();
      expect(log).toMatch(/^65534$/m);
      expect(log).toMatch(/CapEff:\s+0000000000000000/);
      expect(log).toMatch(/CapBnd:\s+0000000000000000/);
      expect(log).toMatch(/NoNewPrivs:\s+1/);
      expect(log).not.toContain("eth0");
      expect(log).toContain("root is read-only");
      expect(log).toMatch(/^room$/m);
      expect(log).toMatch(/^104857600$/m);
      expect(log).toMatch(/^512$/m);
    });

    test("gets variables of several lines and files, and none of them is an argument", async () => {
      const pem = "-----BEGIN-----\nline two\n-----END-----";
      const run = job(
        {
          ...sh(
            'echo "[$KEY]"; echo "[$PLAIN]"; cat /run/app/secret.conf; touch /run/app/secret.conf || echo read-only',
          ),
          env_vars: { KEY: pem, PLAIN: " two  words " },
          files: { "/run/app/secret.conf": "file-canary\n" },
        },
        { sensitive: ["KEY"] },
      );
      expect((await run.run()).status).toBe("finished");
      const log = run.log();
      expect(log).toContain(`[${pem}]`);
      expect(log).toContain("[ two  words ]");
      expect(log).toContain("file-canary");
      expect(log).toContain("read-only");
      const argv = run.runs.flatMap((tool) => tool.argv).join("\n");
      for (const value of ["line two", "two  words", "file-canary"]) expect(argv).not.toContain(value);
      expect([...run.secrets]).toContain(pem);
    });

    test("tells stdout and stderr apart while it runs", async () => {
      const run = job(sh("echo to-out; echo to-err >&2; printf no-newline >&2"));
      expect((await run.run()).status).toBe("finished");
      expect(run.logged.join("\n")).toContain("to-err");
      expect(run.logged.join("\n")).toContain("no-newline");
      expect(run.logged.join("\n")).not.toContain("to-out");
      expect(run.log()).toContain("to-out");
    });

    const ends_: [string, Parameters<typeof containerJob>[1], RegExp, number][] = [
      ["its own exit code", sh("exit 7"), /^the container exited with 7$/, 7],
      ["125 of its own, which is no word of the engine", sh("exit 125"), /^the container exited with 125$/, 125],
      ["a signal", sh("sh -c 'kill -SEGV $$'; exit $?"), /^the container was ended by signal 11 \(SIGSEGV\)$/, 139],
      [
        "a missing program",
        { command: ["no-such-program"] },
        /could not start: the image has no program no-such-program/,
        125,
      ],
      ["a program it may not execute", { command: ["/etc/passwd"] }, /could not start: .*not executable/, 125],
    ];
    for (const [what, plan, reason, code] of ends_) {
      test(`that ends with ${what} fails and says so`, async () => {
        const run = job(plan);
        const outcome = await run.run();
        expect([outcome.status, outcome.outputs]).toEqual(["failed", null]);
        expect(outcome.reason).toMatch(reason);
        expect(run.steps).toEqual([{ name: "container", id: undefined, status: "error", code }]);
      });
    }

    test("that uses up its memory fails, and the reason names the limit", async () => {
      const run = job(sh("tail /dev/zero"), { wishes: { resources: { cpu: null, memory_bytes: 32 * 2 ** 20 } } });
      const { reason } = await run.run();
      // On cgroup v1 podman never says that it was the memory, and docker only if the kernel's word came before the end.
      expect(reason).toMatch(/out of memory: the container used up its 32 MiB|its limit is 32 MiB/);
    });

    test("leaves the image it used", async () => {
      await job(sh("true")).run();
      expect(engine.run("image", "inspect", "--format", "{{.Id}}", BUSYBOX)).not.toBe("");
    });
  });
}
