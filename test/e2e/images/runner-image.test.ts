import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { type Engine, startPodman } from "../../bed/engines.ts";
import { imageMissing, programSize, RUNNER_IMAGE, runnerImageArchive } from "../../bed/runner-image.ts";
import { type Control, outcomes, startControl } from "../../faults/lib/control.ts";
import { action, terraform } from "../../faults/lib/jobs.ts";
import { type Bed, freePort, makeBed, until } from "../../faults/lib/processes.ts";
import { commandsOf } from "../../lib/doc-blocks.ts";
import { startGitServer } from "../../lib/git-server.ts";
import { makePki } from "../../lib/pki.ts";

setDefaultTimeout(120_000);
const skip = (imageMissing() !== null || Bun.which("terraform") === null) && process.env.CI !== "true";

/** As Compose, Helm and ECS run it: nothing may be written but the volume and /tmp. */
const LOCKED = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=host"];

let podman: Engine;
let bed: Bed;
let control: Control;

beforeAll(async () => {
  if (skip) return;
  podman = await startPodman();
  podman.run("load", "-q", "-i", await runnerImageArchive());
  bed = makeBed();
  // Jobs leave their traces in it, and are not root.
  chmodSync(bed.root, 0o777);
  control = await startControl(bed);
}, 600_000);
afterAll(async () => {
  await podman?.end();
  await bed?.end();
}, 60_000);

interface Box {
  exec(...argv: string[]): string;
  inspect(format: string): string;
  log(): string;
  /** Pid of the runner inside. */
  runner(): number;
}

/** A container with a runner of this name that is connected. */
async function box(name: string, env: Record<string, string> = {}): Promise<Box> {
  const { id, token } = await control.createRunner(name);
  const settings = {
    RUNNER_API_URL: control.url,
    RUNNER_ID: id,
    RUNNER_API_TOKEN: token,
    RUNNER_LABEL: `box=${name}`,
    RUNNER_HEALTH_LISTEN: `127.0.0.1:${freePort()}`,
    ...env,
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => ["-e", `${key}=${value}`]);
  const terraformPath = Bun.which("terraform") ?? "";
  const mounts = [`${name}:/var/lib/runner`, `${bed.root}:${bed.root}`, `${terraformPath}:/usr/local/bin/terraform:ro`];
  podman.run("run", "-d", "--name", name, ...LOCKED, ...flags, ...mounts.flatMap((one) => ["-v", one]), RUNNER_IMAGE);
  const made: Box = {
    exec: (...argv) => podman.run("exec", name, ...argv),
    inspect: (format) => podman.run("inspect", "-f", format, name).trim(),
    log: () => logOf(name),
    runner: () => Number(podman.run("exec", name, "pidof", "runner").trim()),
  };
  await until(`${name} is connected`, () => made.log().includes("connected"));
  return made;
}

function logOf(name: string): string {
  const done = Bun.spawnSync(["podman", "logs", name], { env: { ...process.env, ...podman.env }, stdin: "ignore" });
  return `${done.stdout}${done.stderr}`;
}

describe.skipIf(skip)("the image runner", () => {
  test("is the program and at most 30 MB, says what it is, and does not run as root", () => {
    const [image] = JSON.parse(podman.run("image", "inspect", RUNNER_IMAGE));
    expect(image.Size - programSize()).toBeLessThan(30_000_000);
    expect(image.Config.User).toBe("65532:65532");
    expect(image.Config.Volumes).toEqual({ "/var/lib/runner": {}, "/tmp": {} });
    const labels = Object.keys(image.Config.Labels).filter((name) => name.startsWith("org.opencontainers.image."));
    expect(labels.map((name) => name.split(".").at(-1)).sort()).toEqual(
      expect.arrayContaining(["created", "description", "licenses", "revision", "title", "version"]),
    );
    expect(podman.run("run", "--rm", ...LOCKED, RUNNER_IMAGE, "version")).toMatch(/^\d+\.\d+\.\d+/);
    const sh = (script: string) => podman.run("run", "--rm", ...LOCKED, "--entrypoint=sh", RUNNER_IMAGE, "-c", script);
    expect(sh("id -u; stat -c '%u %a' /var/lib/runner").trim().split("\n")).toEqual(["65532", "65532 700"]);
    expect(sh("find / -xdev -type f -perm /6000; find / -xdev -type f -perm -2 | head -3")).toBe("");
    // Scanners find the packages, and every one comes with its licence.
    expect(sh("for p in $(ls /var/lib/dpkg/status.d); do [ -s /usr/share/doc/$p/copyright ] || echo $p; done")).toBe(
      "",
    );
    expect(sh("grep -h ^Version: /var/lib/dpkg/status.d/git")).toMatch(/Version: \d/);
  });

  test("ends with 2 without settings and with 3 when it is refused; the keeper does not try again", async () => {
    const run = (...env: string[]) =>
      Bun.spawnSync(["podman", "run", "--rm", ...LOCKED, ...env.flatMap((one) => ["-e", one]), RUNNER_IMAGE], {
        env: { ...process.env, ...podman.env },
        stdio: ["ignore", "pipe", "pipe"],
      });
    expect(run().exitCode).toBe(2);
    const { id } = await control.createRunner("refused");
    const health = `RUNNER_HEALTH_LISTEN=127.0.0.1:${freePort()}`;
    const refused = run(`RUNNER_API_URL=${control.url}`, `RUNNER_ID=${id}`, "RUNNER_API_TOKEN=wrong", health);
    expect(refused.exitCode).toBe(3);
    expect(refused.stderr.toString()).not.toContain("starts again");
  });

  test("works a job whose script lies in git behind a private CA, on a read-only root; it is healthy; no zombie stays", async () => {
    const pki = makePki(bed.path("pki"));
    const work = bed.path("repositories", "team");
    mkdirSync(work, { recursive: true });
    writeFileSync(`${work}/run.sh`, '(sleep 0.1 &)\n(true &)\necho "user=$(id -u)" >> "$RUNNER_OUTPUT"\n', {
      mode: 0o755,
    });
    for (const args of [
      ["init", "--quiet", "--initial-branch=main"],
      ["add", "."],
      ["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "-m", "first"],
    ]) {
      expect(Bun.spawnSync(["git", "-C", work, ...args], { stderr: "inherit" }).exitCode).toBe(0);
    }
    const server = startGitServer({ root: bed.path("repositories"), tls: pki.issue("git") });
    chmodSync(bed.path("pki"), 0o755);
    chmodSync(pki.ca, 0o644);
    try {
      const container = await box("git", { SSL_CERT_FILE: pki.ca });
      const file = bed.path("git.yaml");
      writeFileSync(
        file,
        `type: actions-workflow\nname: git\nrequires: { labels: { box: git } }\nspec:\n  steps:\n    - name: go\n      source: { git: { url: "https://127.0.0.1:${server.port}/team.git", ref: main } }\n      command: sh run.sh\n`,
      );
      const doc = await control.ended(await control.submit(file));
      expect([doc.status, doc.reason]).toEqual(["finished", ""]);
      expect(doc.outputs).toMatchObject({ user: "65532" });
      podman.run("healthcheck", "run", "git");
      const zombies = () => container.exec("sh", "-c", "grep -l '^State:.Z' /proc/[0-9]*/status || true");
      await until("every process that ended is reaped", () => zombies() === "");
      podman.run("rm", "-f", "-t", "0", "git");
    } finally {
      await server.stop();
    }
  });

  test("whose runner is killed in mid-apply starts it again; terraform lives on, is taken up and ends once", async () => {
    const container = await box("killed");
    const sample = terraform(bed, { wait: true });
    const job = await control.submit(sample.file);
    await until("the apply works", () => sample.traces().includes("begin"));
    const [first, tool] = [container.runner(), container.exec("pidof", "terraform").trim()];
    // The keeper starts the runner in the background, where a shell ignores Ctrl-C: the tool must not.
    const ignored = container.exec("sh", "-c", `sed -n 's/^SigIgn:.//p' /proc/${tool.split(" ")[0]}/status`).trim();
    expect(Number(BigInt(`0x${ignored}`) & 0b10n)).toBe(0);
    container.exec("kill", "-9", String(first));
    await until("it runs again", () => container.log().split(" connected ").length === 3);
    expect(container.runner()).not.toBe(first);
    expect(container.exec("pidof", "terraform").trim()).toBe(tool);
    expect(container.inspect("{{.RestartCount}} {{.State.Status}}")).toBe("0 running");
    sample.release();
    const doc = await control.ended(job);
    expect([doc.status, outcomes(doc)]).toEqual(["finished", ["finished"]]);
    expect(sample.traces()).toEqual(["begin", "worked"]);
    const [workspace] = await control.workspaces();
    expect(workspace?.lock).toBeNull();
    podman.run("rm", "-f", "-t", "0", "killed");
  });

  test("drains at SIGTERM: the running job ends by itself, then the container ends with 0", async () => {
    const container = await box("drained");
    const sample = action(bed, { name: "drained", wait: true });
    const job = await control.submit(sample.file);
    await until("the action works", () => sample.traces().includes("begin"));
    podman.run("kill", "-s", "TERM", "drained");
    await until("it drains", () => container.log().includes("drain"));
    expect(container.inspect("{{.State.Status}}")).toBe("running");
    sample.release();
    const doc = await control.ended(job);
    expect([doc.status, sample.traces()]).toEqual(["finished", ["begin", "worked", "second"]]);
    expect(podman.run("wait", "drained").trim()).toBe("0");
  });

  test("starts as docs/images.md says, and is alive while its control plane is away", async () => {
    const [command = ""] = commandsOf("docs/images.md", "image");
    podman.run("tag", RUNNER_IMAGE, "localhost/runner:1.2.3");
    writeFileSync(bed.path("token"), "the-token\n", { mode: 0o644 });
    const started = Bun.spawnSync(["sh", "-euc", command], {
      cwd: bed.root,
      env: { ...process.env, ...podman.env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    expect([started.exitCode, started.exitCode === 0 ? "" : started.stderr.toString()]).toEqual([0, ""]);
    await until("it lives", () => {
      try {
        podman.run("healthcheck", "run", "runner");
        return true;
      } catch {
        return false;
      }
    });
    podman.run("rm", "-f", "-t", "0", "runner");
  });
});
