import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Engine, engineMissing, startDocker } from "../../bed/engines.ts";
import { imageMissing, RUNNER_IMAGE, runnerImageArchive } from "../../bed/runner-image.ts";
import { type Bed, freePort, makeBed, until } from "../../faults/lib/processes.ts";
import { commandsOf } from "../../lib/doc-blocks.ts";

setDefaultTimeout(180_000);
const missing = imageMissing() ?? engineMissing("docker") ?? (Bun.which("docker-compose") ? null : "no docker-compose");
const skip = missing !== null && process.env.CI !== "true";
const ROOT = join(import.meta.dir, "../../..");
/** The commands of docs/install-compose.md, as they stand: start, admin key, another control plane, the rest of its life. */
const [START = "", KEY = "", ELSEWHERE = "", LIFE = ""] = commandsOf("docs/install-compose.md", "compose");

let docker: Engine;
let bed: Bed;
let port = 0;

/**
 * Runs commands of the document in a copy of the bundle. `docker compose` is docker-compose 1.29 of Debian here: the
 * plug-in of that name is in no package.
 */
async function shell(commands: string): Promise<string> {
  const plugin = 'docker() { if [ "$1" = compose ]; then shift; docker-compose "$@"; else command docker "$@"; fi; }';
  const child = Bun.spawn(["bash", "-euc", `${plugin}\n${commands}`], {
    cwd: bed.root,
    env: { ...process.env, ...docker.env, COMPOSE_PROJECT_NAME: "bed", COORDINATOR_PORT: String(port) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(`${commands}: ${stdout}${stderr}`);
  return stdout;
}

const both = (args: string) =>
  shell(`cd bundle/compose; export RUNNER_IMAGE=localhost/runner:1.2.3; docker compose ${args}`);
const operator = (args: string) => both(`exec -T coordinator runner ${args}`);
const inspect = (service: string, format: string) => docker.run("inspect", "-f", format, `bed_${service}_1`).trim();

beforeAll(async () => {
  if (skip) return;
  bed = makeBed();
  docker = await startDocker();
  docker.run("load", "-q", "-i", await runnerImageArchive());
  for (const tag of ["1.2.3", "1.2.4"]) docker.run("tag", RUNNER_IMAGE, `localhost/runner:${tag}`);
  cpSync(join(ROOT, "bundle/compose"), bed.path("bundle/compose"), { recursive: true });
  port = freePort();
  // A terminal is there for people, not here.
  await shell(START.replaceAll("exec coordinator", "exec -T coordinator"));
}, 600_000);
afterAll(async () => {
  if (skip) return;
  await both("down -v -t 1").catch(() => undefined);
  await docker.end();
  await bed.end();
}, 120_000);

describe.skipIf(skip)("bundle/compose", () => {
  test("one command brings up a coordinator and a runner that is connected and healthy, both locked down", async () => {
    await until("the runner is healthy", () => inspect("runner", "{{.State.Health.Status}}") === "healthy", 120_000);
    expect(JSON.parse(await operator("runners list --json"))).toMatchObject([{ name: "local", contact: "online" }]);
    for (const service of ["coordinator", "runner"]) {
      const format =
        "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.HostConfig.Privileged}}";
      expect(inspect(service, format)).toBe("65532:65532 true [ALL] [no-new-privileges] false");
    }
    // The page and the API, from this machine only.
    expect(docker.run("port", "bed_coordinator_1").trim()).toBe(`8080/tcp -> 127.0.0.1:${port}`);
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
  });

  test("works a job; secrets are files that only their owner reads, and stand in no environment", async () => {
    const job =
      "type: actions-workflow\nname: hello\nspec:\n  steps:\n    - { name: go, run: 'echo answer=42 >> \"$RUNNER_OUTPUT\"' }\n";
    writeFileSync(bed.path("job.yaml"), job);
    docker.run("cp", bed.path("job.yaml"), "bed_coordinator_1:/var/lib/runner/job.yaml");
    const said = await operator("job submit -f /var/lib/runner/job.yaml --wait --json");
    expect(JSON.parse(said.trim().split("\n").at(-1) ?? "")).toMatchObject({
      status: "finished",
      outputs: { answer: "42" },
    });
    const token = docker.run("exec", "bed_runner_1", "cat", "/run/identity/token").trim();
    expect(token.length).toBeGreaterThan(20);
    expect(docker.run("exec", "bed_runner_1", "stat", "-c", "%u %a", "/run/identity/token").trim()).toBe("65532 600");
    const everything = JSON.parse(docker.run("inspect", "bed_runner_1", "bed_coordinator_1", "bed_enrol_1"));
    expect(JSON.stringify(everything)).not.toContain(token);
  });

  test("is the same runner after everything was taken down and brought up again", async () => {
    const before = await operator("runners list --json");
    await both("down -t 30");
    await both("up -d");
    await until("the runner is healthy", () => inspect("runner", "{{.State.Health.Status}}") === "healthy", 120_000);
    const ids = (text: string) => (JSON.parse(text) as { id: string }[]).map(({ id }) => id);
    expect(ids(await operator("runners list --json"))).toEqual(ids(before));
    expect(docker.run("logs", "bed_enrol_1")).toContain("already enrolled");
  });

  test("tells the admin key, and is updated, stopped and removed as the document says", async () => {
    const key = await shell(`cd bundle/compose; ${KEY.replaceAll("exec coordinator", "exec -T coordinator")}`);
    const asked = await fetch(`http://127.0.0.1:${port}/api/v1/runners`, {
      headers: { Authorization: `Bearer ${key.trim()}` },
    });
    expect(asked.status).toBe(200);
    await shell(`cd bundle/compose; ${LIFE}`);
    expect(docker.run("ps", "-aq", "--filter", "name=bed_").trim()).toBe("");
    expect(docker.run("volume", "ls", "-q").trim()).toBe("");
  });

  test("a runner of another control plane gets its token from a file, and is healthy while that is away", async () => {
    await both("down -v -t 30");
    writeFileSync(bed.path("bundle/compose/token-file"), "the-token\n");
    await shell(ELSEWHERE);
    const health = () => docker.run("exec", "bed_runner_1", "/usr/local/lib/runner/healthy");
    await until("it lives", () => {
      try {
        return health() === "";
      } catch {
        return false;
      }
    });
    expect(docker.run("exec", "bed_runner_1", "cat", "/run/secrets/runner-token")).toBe("the-token\n");
    const settings = "export RUNNER_API_URL=x RUNNER_ID=x";
    await shell(`cd bundle/compose; ${settings}; docker compose -f compose.runner.yaml down -v -t 10`);
  });
});
