import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Engine, engineMissing, startDocker } from "../../bed/engines.ts";
import { imageMissing, RUNNER_IMAGE, runnerImageArchive } from "../../bed/runner-image.ts";
import { type Bed, freePort, makeBed, until } from "../../faults/lib/processes.ts";

setDefaultTimeout(180_000);
const missing = imageMissing() ?? engineMissing("docker") ?? (Bun.which("docker-compose") ? null : "no docker-compose");
const skip = missing !== null && process.env.CI !== "true";
const FOLDER = join(import.meta.dir, "../../../bundle/compose");

let docker: Engine;
let bed: Bed;
let port = 0;

/** docker-compose 1.29 of Debian; what `docker compose` reads too. */
async function compose(file: string, ...args: string[]): Promise<string> {
  const child = Bun.spawn(["docker-compose", "-p", "bed", "-f", join(FOLDER, file), ...args], {
    env: { ...process.env, ...docker.env, ...settings() },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(`docker-compose ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

const settings = (): Record<string, string> => ({
  RUNNER_IMAGE,
  COORDINATOR_PORT: String(port),
  RUNNER_API_URL: "http://127.0.0.1:9",
  RUNNER_ID: "run00000000000000000000000",
  TOKEN_FILE: bed.path("token"),
});
const both = (...args: string[]) => compose("compose.yaml", ...args);
const operator = (...args: string[]) => both("exec", "-T", "coordinator", "runner", ...args);
const inspect = (service: string, format: string) => docker.run("inspect", "-f", format, `bed_${service}_1`).trim();

beforeAll(async () => {
  if (skip) return;
  bed = makeBed();
  docker = await startDocker();
  docker.run("load", "-q", "-i", await runnerImageArchive());
  port = freePort();
  await both("up", "-d");
}, 600_000);
afterAll(async () => {
  if (skip) return;
  await both("down", "-v", "-t", "1").catch(() => undefined);
  await docker.end();
  await bed.end();
}, 120_000);

describe.skipIf(skip)("bundle/compose", () => {
  test("one command brings up a coordinator and a runner that is connected and healthy, both locked down", async () => {
    await until("the runner is healthy", () => inspect("runner", "{{.State.Health.Status}}") === "healthy", 120_000);
    expect(JSON.parse(await operator("runners", "list", "--json"))).toMatchObject([
      { name: "local", contact: "online" },
    ]);
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
    const said = await operator("job", "submit", "-f", "/var/lib/runner/job.yaml", "--wait", "--json");
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
    const before = await operator("runners", "list", "--json");
    await both("down", "-t", "30");
    await both("up", "-d");
    await until("the runner is healthy", () => inspect("runner", "{{.State.Health.Status}}") === "healthy", 120_000);
    const ids = (text: string) => (JSON.parse(text) as { id: string }[]).map(({ id }) => id);
    expect(ids(await operator("runners", "list", "--json"))).toEqual(ids(before));
    expect(docker.run("logs", "bed_enrol_1")).toContain("already enrolled");
  });

  test("a runner of another control plane gets its token from a file, and is healthy while that is away", async () => {
    await both("down", "-v", "-t", "30");
    writeFileSync(bed.path("token"), "the-token\n", { mode: 0o644 });
    await compose("compose.runner.yaml", "up", "-d");
    const health = () => docker.run("exec", "bed_runner_1", "/usr/local/lib/runner/healthy");
    await until("it lives", () => {
      try {
        return health() === "";
      } catch {
        return false;
      }
    });
    expect(docker.run("exec", "bed_runner_1", "cat", "/run/secrets/runner-token")).toBe("the-token\n");
    await compose("compose.runner.yaml", "down", "-v", "-t", "10");
  });
});
