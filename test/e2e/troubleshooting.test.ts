import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addRunner, type Control, startControl } from "../faults/lib/control.ts";
import { action, terraform } from "../faults/lib/jobs.ts";
import { type Bed, freePort, makeBed, program, toolsBelow, until } from "../faults/lib/processes.ts";
import { makePki, openssl } from "../lib/pki.ts";

/**
 * docs/troubleshooting.md, executed. A case brings the trouble about and answers what is to be seen of it; then the block
 * of the remedy is run as it stands, by sh, and the case looks whether the trouble is gone.
 */
const text = readFileSync(join(import.meta.dir, "../../docs/troubleshooting.md"), "utf8");
const blocks = (kind: string) =>
  new Map(
    [...text.matchAll(new RegExp(`^\`\`\`\\w+ ${kind}=(\\S+)\\n([\\s\\S]*?)^\`\`\``, "gm"))].map((one) => [
      one[1] ?? "",
      one[2] ?? "",
    ]),
  );
const symptoms = blocks("symptom");
const remedies = blocks("remedy");

type Env = Record<string, string>;
interface Shell {
  stdout(): string;
  stderr(): string;
  readonly exited: Promise<number>;
}
interface Trouble {
  /** What a person saw. */
  readonly seen: string;
  /** Of the shell of the remedy. */
  readonly env: Env;
  /** The trouble is gone. `shell` may still run what the remedy started. */
  readonly gone: (shell: Shell) => Promise<unknown>;
}

let bed: Bed;
const groups: number[] = [];
beforeEach(() => {
  bed = makeBed();
  mkdirSync(bed.path("commands"));
  writeFileSync(
    bed.path("commands", "runner"),
    `#!/bin/sh\nexec ${program.map((word) => `'${word}'`).join(" ")} "$@"\n`,
  );
  chmodSync(bed.path("commands", "runner"), 0o755);
});
afterEach(async () => {
  // Each remedy ran in a group of its own: what it started ends with it.
  for (const pid of groups.splice(0)) {
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // all of it has ended
    }
  }
  await bed.end();
});

/** Runs a block as a person would paste it. */
function paste(block: string, env: Env): Shell {
  const child = Bun.spawn(["sh", "-eu", "-c", block], {
    cwd: bed.root,
    env: { PATH: `${bed.path("commands")}:${process.env.PATH}`, HOME: bed.root, CHECKPOINT_DISABLE: "1", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
  groups.push(child.pid);
  const read = (stream: ReadableStream<Uint8Array>) => {
    const seen = { text: "" };
    void (async () => {
      for await (const part of stream) seen.text += new TextDecoder().decode(part);
    })();
    return () => seen.text;
  };
  return { stdout: read(child.stdout), stderr: read(child.stderr), exited: child.exited };
}

/** The lines of a symptom, in order, `…` being anything. */
function pattern(symptom: string): RegExp {
  const quoted = symptom.trimEnd().replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(quoted.replaceAll("…", "[^\\n]*"));
}

const operator = (control: Control): Env => ({
  ...control.admin(),
  RUNNER_ADMIN_KEY_FILE: bed.path("coordinator", "admin.key"),
});
async function identity(control: Control, name = "r1"): Promise<Env> {
  const { id, token } = await control.createRunner(name);
  writeFileSync(bed.path("token"), `${token}\n`);
  return {
    RUNNER_API_URL: control.url,
    RUNNER_ID: id,
    RUNNER_TOKEN_FILE: bed.path("token"),
    RUNNER_STATE_DIR: bed.path("state"),
  };
}
const online = (control: Control, count = 1) =>
  until(
    "the runner is online",
    async () => (await control.runners()).filter((one) => one.contact === "online").length === count,
  );
const healthy = async (shell: Shell) => {
  expect([await shell.exited, shell.stdout()]).toEqual([0, expect.not.stringContaining("✗")]);
};

const SHORT = ["--lease", "3s", "--renew", "1s", "--claim-hold", "2s", "--suspect", "3s", "--offline", "5s"];

const CASES: Record<string, () => Promise<Trouble>> = {
  async "wrong-token"() {
    const control = await startControl(bed);
    const env = await identity(control);
    writeFileSync(env.RUNNER_TOKEN_FILE ?? "", "a-token-of-yesterday-and-elsewhere\n");
    const { code, stderr } = await bed.run(["run"], env);
    expect(code).toBe(3);
    return { seen: stderr, env: { ...operator(control), ...env }, gone: healthy };
  },

  async unreachable() {
    const listen = `127.0.0.1:${freePort()}`;
    const first = await startControl(bed);
    const env = await identity(first);
    await first.proc.kill9();
    const runner = bed.spawn(["run"], { ...env, RUNNER_API_URL: `http://${listen}` });
    await until("it says so", () => runner.stderr().includes("cannot be reached"));
    return {
      seen: runner.stderr(),
      env: { LISTEN: listen, RUNNER_DATA_DIR: bed.path("coordinator") },
      gone: () => until("the runner goes on by itself", () => runner.stderr().includes("is back")),
    };
  },

  async "port-in-use"() {
    const other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("") });
    const data = bed.path("data");
    const { code, stderr } = await bed.run(["coordinator", "--listen", `127.0.0.1:${other.port}`, "--data-dir", data]);
    expect([code, existsSync(data)]).toEqual([2, false]);
    return {
      seen: stderr,
      env: { RUNNER_DATA_DIR: data },
      gone: async (shell) => {
        await until("it is up", () => shell.stderr().includes("coordinator is up"));
        await other.stop(true);
      },
    };
  },

  async "state-dir-in-use"() {
    const control = await startControl(bed);
    const env = await identity(control);
    bed.spawn(["run"], env);
    await online(control);
    const { code, stderr } = await bed.run(["run"], env);
    expect(code).toBe(2);
    return { seen: stderr, env: { ...operator(control), ...env }, gone: () => online(control, 2) };
  },

  async "lock-held"() {
    const control = await startControl(bed, { flags: SHORT });
    const first = await addRunner(bed, control, { name: "first" });
    const sample = terraform(bed, { wait: true });
    const job = await control.submit(sample.file);
    await until("the apply works", () => sample.traces().includes("begin"));
    // The machine is gone: the runner and everything it had started.
    await first.proc.kill9();
    for (const pid of toolsBelow(bed.root)) process.kill(pid, "SIGKILL");
    await until("the apply is parked", async () => (await control.show(job)).reason.startsWith("parked"));
    await addRunner(bed, control, { name: "second" });
    const { stdout, stderr } = await bed.run(["job", "submit", "-f", sample.file, "--wait"], control.admin());
    sample.release();
    return {
      seen: stdout + stderr,
      env: { ...operator(control), WORKSPACE: "net", JOB: job, JOB_FILE: sample.file },
      gone: async (shell) => expect([await shell.exited, shell.stderr()]).toEqual([0, expect.any(String)]),
    };
  },

  async "no-compatible-runner"() {
    const control = await startControl(bed);
    const env = await identity(control, "second");
    await addRunner(bed, control, { name: "first", flags: ["--mode", "org"] });
    await online(control);
    const job = await control.submit(action(bed).file);
    await until("the reason", async () => (await control.show(job)).reason !== "");
    const { stdout } = await bed.run(["job", "show", job], control.admin());
    return { seen: stdout, env: { ...operator(control), ...env }, gone: () => control.ended(job) };
  },

  async "tool-missing"() {
    const { file } = terraform(bed);
    // No PATH but the shell's, and a mirror that is not there.
    mkdirSync(bed.path("few"));
    for (const name of ["sh", "env", "ln", "mkdir"])
      Bun.spawnSync(["ln", "-s", Bun.which(name) ?? name, bed.path("few", name)]);
    const bare = {
      PATH: `${bed.path("few")}:${bed.path("commands")}`,
      RUNNER_TOOLS_MIRROR: `http://127.0.0.1:${freePort()}`,
    };
    const { code, stdout } = await bed.run(["run-local", file], bare);
    expect(code).toBe(1);
    return {
      seen: stdout,
      env: { ...bare, TERRAFORM: Bun.which("terraform") ?? "", JOB_FILE: file },
      gone: async (shell) => expect([await shell.exited, shell.stderr()]).toEqual([0, ""]),
    };
  },

  async "disk-full"() {
    const control = await startControl(bed);
    const env = await identity(control);
    // A folder with less than is asked for, whatever the disk of this machine has.
    const runner = bed.spawn(["run"], { ...env, RUNNER_MIN_FREE: "1PiB" });
    const job = await control.submit(action(bed).file);
    await until("it says so", () => runner.stderr().includes("too little free space"));
    expect((await control.show(job)).status).not.toBe("finished");
    const seen = runner.stderr();
    await runner.kill9();
    return { seen, env, gone: async () => expect((await control.ended(job)).status).toBe("finished") };
  },

  async "private-ca"() {
    const pki = makePki(bed.path("pki"));
    const { cert, key } = pki.issue("coordinator");
    const port = freePort();
    const url = `https://127.0.0.1:${port}`;
    const flags = [
      "--listen",
      `127.0.0.1:${port}`,
      "--data-dir",
      bed.path("data"),
      "--tls-cert",
      cert,
      "--tls-key",
      key,
    ];
    const proc = bed.spawn(["coordinator", ...flags]);
    await until("it is up", () => proc.stderr().includes("coordinator is up"));
    const admin = {
      RUNNER_COORDINATOR_URL: url,
      RUNNER_ADMIN_KEY_FILE: bed.path("data", "admin.key"),
      RUNNER_CA_FILE: pki.ca,
    };
    const created = JSON.parse((await bed.run(["runners", "create", "r1", "--json"], admin)).stdout);
    const env = {
      RUNNER_API_URL: url,
      RUNNER_ID: created.id,
      RUNNER_API_TOKEN: created.token,
      RUNNER_STATE_DIR: bed.path("state"),
    };
    const { code, stderr } = await bed.run(["run"], env);
    expect(code).toBe(3);
    const contact = async () => JSON.parse((await bed.run(["runners", "list", "--json"], admin)).stdout)[0]?.contact;
    return {
      seen: stderr,
      env: { ...env, CA_FILE: pki.ca },
      gone: () => until("the runner is online", async () => (await contact()) === "online"),
    };
  },

  async "clock-skew"() {
    // No test may set the clock of this machine: the other side's is wrong, until timedatectl is called.
    const mended = bed.path("ntp");
    const date = () => new Date(Date.now() + (existsSync(mended) ? 0 : 3_600_000)).toUTCString();
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Response("", { status: 404, headers: { date: date() } }),
    });
    writeFileSync(bed.path("commands", "timedatectl"), `#!/bin/sh\n[ "$*" = "set-ntp true" ] && touch '${mended}'\n`, {
      mode: 0o755,
    });
    const env = { RUNNER_API_URL: `http://127.0.0.1:${server.port}`, RUNNER_STATE_DIR: bed.path("state") };
    const { code, stdout } = await bed.run(["doctor"], env);
    expect(code).toBe(1);
    return {
      seen: stdout,
      env,
      gone: async (shell) => {
        await healthy(shell);
        await server.stop(true);
      },
    };
  },
};

const NEEDS: Record<string, readonly [string, boolean]> = {
  "lock-held": ["terraform", Bun.which("terraform") !== null],
  "tool-missing": ["terraform", Bun.which("terraform") !== null],
  "private-ca": ["openssl", openssl !== null],
};

describe("docs/troubleshooting.md", () => {
  test("every trouble has a symptom, a remedy and a case here", () => {
    const names = Object.keys(CASES).sort();
    expect([...symptoms.keys()].sort()).toEqual(names);
    expect([...remedies.keys()].sort()).toEqual(names);
    expect(names.length).toBeGreaterThanOrEqual(10);
  });

  for (const [name, bring] of Object.entries(CASES)) {
    const [component = "", there = true] = NEEDS[name] ?? [];
    test.skipIf(!there)(
      `${name}: looks as described, and the remedy, pasted, ends it${component ? ` (needs ${component})` : ""}`,
      async () => {
        const trouble = await bring();
        expect(trouble.seen).toMatch(pattern(symptoms.get(name) ?? "no symptom"));
        const shell = paste(remedies.get(name) ?? "false", trouble.env);
        try {
          await trouble.gone(shell);
        } catch (error) {
          throw new Error(`${error}\nthe remedy said: ${shell.stdout()}${shell.stderr()}`, { cause: error });
        }
      },
      90_000,
    );
  }
});
