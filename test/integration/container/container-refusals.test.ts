import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findEngine } from "../../../internal/kit/containers/index.ts";
import type { ContainerPlan } from "../../../internal/protocol/plans-ours.ts";
import type { Engine } from "../../bed/engines.ts";
import { type Registry, registryMissing, startRegistry } from "../../bed/registry.ts";
import { freePort } from "../../faults/lib/processes.ts";
import { BUSYBOX, containerJob, left, skipEngine, startEngine } from "./bed.ts";

const SUM = `sha256:${"0".repeat(64)}`;
const LOGIN = { name: "puller", password: "registry-canary-51c7" };
const ECHO = { command: ["echo", "ran"] };
type Options = Parameters<typeof containerJob>[2];

for (const name of ["podman", "docker"] as const) {
  describe.skipIf(skipEngine(name) || (registryMissing() !== null && process.env.CI !== "true"))(`by ${name}`, () => {
    let engine: Engine;
    let open: Registry;
    let closed: Registry;
    const ends: (() => void)[] = [];
    const job = (plan: Partial<ContainerPlan>, options?: Options) => {
      const made = containerJob(engine, plan, options);
      ends.push(made.end);
      return made;
    };

    beforeAll(async () => {
      engine = await startEngine(name);
      open = await startRegistry();
      closed = await startRegistry({ user: LOGIN });
      push(`${open.host}/app:1`);
      push(`${closed.host}/app:1`);
    }, 60_000);
    afterAll(async () => {
      await engine?.end();
      await open?.end();
      await closed?.end();
    });
    afterEach(() => {
      for (const end of ends.splice(0)) end();
      expect(left(engine)).toEqual([]);
    });

    /** Into a registry, and out of the engine's own store. */
    function push(there: string): void {
      const config = join(engine.env.DOCKER_CONFIG ?? tmpdir(), "config.json");
      // An image of its own: one that is here already would have two digests.
      engine.run("create", "--name=seed", BUSYBOX, there);
      engine.run("commit", "seed", there);
      engine.run("rm", "seed");
      if (name === "podman") engine.run("push", "--tls-verify=false", `--creds=${LOGIN.name}:${LOGIN.password}`, there);
      else {
        const auth = Buffer.from(`${LOGIN.name}:${LOGIN.password}`).toString("base64");
        writeFileSync(config, JSON.stringify({ auths: { [closed.host]: { auth } } }));
        engine.run("push", there);
        rmSync(config);
      }
      engine.run("rmi", there);
    }
    const forget = (image: string) =>
      engine.run("rmi", "-f", engine.run("image", "inspect", "--format", "{{.Id}}", image).trim());
    const digestOf = async (registry: Registry) => {
      const accept = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json";
      const answer = await fetch(`http://${registry.host}/v2/app/manifests/1`, { method: "HEAD", headers: { accept } });
      return answer.headers.get("docker-content-digest") ?? "";
    };

    test("an image is pulled when it is missing, and its digest is an output", async () => {
      const image = `${open.host}/app:1`;
      const first = job({ ...ECHO, image });
      const { status, reason, outputs } = await first.run();
      expect([status, reason]).toEqual(["finished", ""]);
      expect(outputs).toEqual({ image_digest: await digestOf(open) });
      const second = job({ ...ECHO, image });
      await second.run();
      expect(second.runs.map((tool) => tool.key)).toEqual(["create", "run"]);
      const always = job({ ...ECHO, image, pull: "always" });
      await always.run();
      expect(always.runs.map((tool) => tool.key)).toEqual(["pull", "create", "run"]);
      forget(image);
    }, 30_000);

    test("an image pinned by its digest is that one", async () => {
      const digest = await digestOf(open);
      const image = `${open.host}/app@${digest}`;
      expect((await job({ ...ECHO, image }).run()).outputs).toEqual({ image_digest: digest });
      forget(image);
    }, 30_000);

    test("a login is used for its job alone, and is nowhere afterwards", async () => {
      const image = `${closed.host}/app:1`;
      const credentials = { username: LOGIN.name, password: LOGIN.password };
      const run = job({ ...ECHO, image, credentials });
      expect((await run.run()).reason).toBe("");
      expect([...run.secrets]).toContain(LOGIN.password);
      expect(run.log()).not.toContain(LOGIN.password);
      expect(run.runs.flatMap((tool) => [...tool.argv, ...Object.values(tool.env)]).join()).not.toContain(
        LOGIN.password,
      );
      expect(Bun.spawnSync(["grep", "-rl", LOGIN.password, run.work]).stdout.toString()).toBe("");
      forget(image);
      const next = await job({ ...ECHO, image }).run();
      expect(next.reason).toContain("refused the login");
    }, 30_000);

    const refused: [string, () => Partial<ContainerPlan> | Promise<Partial<ContainerPlan>>, string, Options?][] = [
      ["an image that is nowhere", () => ({ image: `${open.host}/nothing:1` }), "has no such image"],
      ["a tag that is not there", () => ({ image: `${open.host}/app:2` }), "has no such image"],
      [
        "a digest that is not there",
        () => ({ image: `${open.host}/app@${SUM}` }),
        "has no such image with this digest",
      ],
      ["no login where one is needed", () => ({ image: `${closed.host}/app:1` }), "refused the login"],
      [
        "a wrong password",
        () => ({ image: `${closed.host}/app:1`, credentials: { username: LOGIN.name, password: "wrong" } }),
        "refused the login",
      ],
      ["a registry that is not there", () => ({ image: `127.0.0.1:${freePort()}/app:1` }), "cannot be reached"],
      ["an image that must be here and is not", () => ({ image: `${open.host}/app:1`, pull: "never" }), "pull: never"],
      ["an image that is an option", () => ({ image: "--privileged" }), "cannot be used"],
      ["a profile, where there is none", () => ({ profile: "root" }), 'profile "root" is not approved here'],
      [
        "a profile that is for another image",
        () => ({ profile: "p" }),
        "is not for the image localhost/bb:1",
        { profiles: "profiles: { p: { images: [ghcr.io/*] } }" },
      ],
      ["a file outside", () => ({ files: { "/a/../../etc/passwd": "x" } }), "is no place for a file"],
      ["a file with an engine's option in its path", () => ({ files: { "/a:rw": "x" } }), "is no place for a file"],
      ["GPUs that the lease does not grant", () => ({ gpus: 1 }), "it needs 1 GPUs and its lease grants 0"],
      [
        "a GPU of a machine without",
        () => ({ gpus: 1 }),
        "the engine cannot give it its GPUs",
        { wishes: { gpus: ["GPU-0000"] } },
      ],
    ];
    for (const [what, plan, reason, options] of refused) {
      test(`a job with ${what} fails with the reason and what to do`, async () => {
        const run = job({ ...ECHO, ...(await plan()) }, options);
        const outcome = await run.run();
        expect([outcome.status, outcome.cleanupError]).toEqual(["failed", null]);
        expect(outcome.reason).toContain(reason);
        expect(outcome.reason).not.toContain("\n");
        expect(run.log()).not.toMatch(/^ran$/m);
      }, 30_000);
    }

    test("a profile gives what it names and nothing else", async () => {
      const folder = mkdtempSync(join(tmpdir(), "mount-"));
      ends.push(() => rmSync(folder, { recursive: true, force: true }));
      writeFileSync(join(folder, "data"), "mounted data");
      writeFileSync(join(folder, "env"), "OPERATOR=env-canary\n", { mode: 0o600 });
      const profile = {
        network: "host",
        user: "image",
        capabilities: ["CHOWN"],
        mounts: [{ from: folder, to: "/data" }],
        env_file: join(folder, "env"),
      };
      const run = job(
        {
          command: [
            "sh",
            "-c",
            "id -u; grep CapEff /proc/self/status; cat /data/data; touch /data/x; echo $OPERATOR; touch /x; echo a=1 >> $RUNNER_OUTPUT; touch /workspace/x && echo room",
          ],
          profile: "p",
        },
        { profiles: JSON.stringify({ profiles: { p: profile } }) },
      );
      expect((await run.run()).outputs).toMatchObject({ a: "1" });
      const log = run.log();
      expect(log).toMatch(/^0$/m);
      expect(log).toMatch(/CapEff:\s+0000000000000001/);
      expect(log).toContain("mounted data");
      expect(log).toContain("touch: /data/x: Read-only file system");
      expect(log).toContain("touch: /x: Read-only file system");
      expect(log).toMatch(/^room$/m);
      expect([...run.secrets]).toContain("env-canary");
    }, 30_000);

    test("a task of Victoria gets its prompt, files, home and reporter, and a wrong checksum stops it", async () => {
      const home = mkdtempSync(join(tmpdir(), "victoria-"));
      ends.push(() => rmSync(home, { recursive: true, force: true }));
      const text = "a,b\n1,2\n";
      const sha256 = new Bun.CryptoHasher("sha256").update(text).digest("hex");
      const task = (sum: string) => ({
        task_id: "0f8fad5b-d9cb-469f-a165-70867728950e",
        prompt: "sum the columns; it's easy",
        orchestrator_url: "https://orchestrator.example.com/api/",
        files: [{ name: "../in/data.csv", content_base64: btoa(text), sha256: sum }],
      });
      const profiles = JSON.stringify({ profiles: { victoria: { user: "image", victoria_home: home } } });
      const show =
        'printf "[%s]" "$@"; echo; cat $TASK_FILES_DIR/data.csv; echo "$ORCHESTRATOR_URL $JOB_ID $TASK_ID"; touch /workspace/Victoria/made';
      const plan = (sum: string): Partial<ContainerPlan> => ({
        entrypoint: ["sh", "-c", show, "sh"],
        profile: "victoria",
        env_vars: { NODE_API_KEY: "node-canary" },
        victoria: task(sum),
      });
      const run = job(plan(sha256.toUpperCase()), { profiles });
      expect((await run.run()).reason).toBe("");
      const log = run.log();
      expect(log).toContain("[--accept-license][--task][sum the columns; it's easy]");
      expect(log).toContain(text);
      const id = "0f8fad5b-d9cb-469f-a165-70867728950e";
      expect(log).toContain(`https://orchestrator.example.com/api ${id} ${id}`);
      expect(run.runs.flatMap((tool) => tool.argv).join()).not.toContain("node-canary");
      expect(readFileSync(join(home, "made"), "utf8")).toBe("");

      const wrong = await job(plan(SUM.slice(7)), { profiles }).run();
      expect(wrong.reason).toContain('"../in/data.csv" is not what its checksum says');
      const homeless = await job({ ...plan(sha256), profile: null }, { profiles }).run();
      expect(homeless.reason).toContain("needs a container profile with a victoria_home");
    }, 30_000);
  });
}

test("a machine without an engine fails the job, and says how to get one", async () => {
  const engine: Engine = { name: "podman", env: {}, run: () => "", end: async () => undefined };
  const run = containerJob(engine, ECHO);
  const without = { ...run.context().containers, engine: () => findEngine({ wanted: null, env: {}, uid: 0 }) };
  expect(() => without.engine()).toThrow("no container runtime found");
  run.end();
});

describe.skipIf(skipEngine("docker"))("a docker daemon", () => {
  test("that is not there fails the job within a moment", async () => {
    const gone: Engine = {
      name: "docker",
      env: { DOCKER_HOST: "unix:///nonexistent/d.sock" },
      run: () => "",
      end: async () => undefined,
    };
    const run = containerJob(gone, ECHO);
    const { status, reason, remedy } = await run.run();
    expect([status, reason]).toEqual(["failed", expect.stringContaining("docker does not answer")]);
    expect(remedy).toContain("docker version");
    run.end();
  });

  test("that dies and stays away while a container runs fails the job, and the reason says so", async () => {
    const engine = await startEngine("docker");
    const folder = dirname((engine.env.DOCKER_HOST ?? "").replace("unix://", ""));
    const run = containerJob(engine, { command: ["sh", "-c", "echo begun; sleep 60"] });
    const over = run.run();
    while (!run.log().includes("begun")) await Bun.sleep(50);
    // The daemon, containerd and the shim, which keep all their files in this one folder.
    const processes = Bun.spawnSync(["pgrep", "-f", folder]).stdout.toString().trim().split("\n").map(Number);
    for (const pid of processes.filter((one) => one > 0 && one !== process.pid)) process.kill(pid, "SIGKILL");
    const { status, reason, remedy, cleanupError } = await over;
    expect([status, reason]).toEqual([
      "failed",
      expect.stringContaining("engine died while the container ran: docker"),
    ]);
    expect(remedy).toContain("removed at the next start");
    expect(String(cleanupError)).toContain("docker does not answer");
    run.end();
    await engine.end();
  }, 90_000);
});
