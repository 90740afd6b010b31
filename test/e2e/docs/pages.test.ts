import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { JobShow } from "../../../internal/protocol/operator.ts";
import { addRunner, type Control, type RunnerHandle, startControl } from "../../faults/lib/control.ts";
import { action, terraform } from "../../faults/lib/jobs.ts";
import { type Bed, freePort, makeBed, until } from "../../faults/lib/processes.ts";
import { commandsOf, docBlocks } from "../../lib/doc-blocks.ts";
import { startOtlpReceiver } from "../../lib/otlp-receiver.ts";
import { makePki, openssl } from "../../lib/pki.ts";
import { hasSshServer, startSshServer } from "../../lib/ssh-server.ts";
import { makeCommands, type PageShell, runPage } from "./page-shell.ts";

/**
 * The commands of the pages, pasted as they stand into one machine with a coordinator and a runner. What a person puts
 * in place of names and dots is in the table of each page.
 */
setDefaultTimeout(120_000);
const without = (there: boolean) => !there && process.env.CI !== "true";
const noTerraform = without(Bun.which("terraform") !== null);
const EXAMPLES = join(import.meta.dir, "../../../examples");

let bed: Bed;
let control: Control;
let runner: RunnerHandle;
/** Of an operator who also has the identity of a runner that nobody runs yet. */
let env: Record<string, string>;

beforeAll(async () => {
  bed = makeBed();
  makeCommands(bed);
  control = await startControl(bed);
  runner = await addRunner(bed, control, { name: "shared" });
  const nobody = `http://127.0.0.1:${freePort()}`;
  env = { ...control.admin(), RUNNER_TOOLS_MIRROR: nobody };
});
afterAll(async () => {
  await bed?.end();
});

/** A page with the identity of a runner of its own. */
function pageTest(page: string, work: (shell: PageShell, id: string) => Promise<void>, skip = false): void {
  test.skipIf(skip)(`${page}: its commands do what it says`, async () => {
    const own = await control.createRunner(basename(page, ".md"));
    const identity = {
      RUNNER_API_URL: control.url,
      RUNNER_ID: own.id,
      RUNNER_API_TOKEN: own.token,
      RUNNER_STATE_DIR: bed.path("state", page),
    };
    await runPage({ bed, page, suite: "docs", env: { ...env, ...identity } }, (shell) => work(shell, own.id));
  });
}

const coordinatorAt = (shell: PageShell, port: number) => ({
  RUNNER_LISTEN: `127.0.0.1:${port}`,
  RUNNER_DATA_DIR: shell.path("data"),
});
const status = async (job: string) => (await control.show(job)).status;
const submitted = (file: string) => control.submit(file, runner.id);
const waits = (job: string): Promise<JobShow> =>
  until("it waits for a person", async () => {
    const doc = await control.show(job);
    return doc.status === "approval-awaiting" && doc;
  });
/** An applied workspace; each call one version of its state more. */
const apply = async (workspace: string, cidr: string) =>
  control.ended(await submitted(terraform(bed, { name: workspace, cidr }).file));
/** A change of a workspace that waits. */
const change = async (workspace: string, cidr: string) => {
  const id = await submitted(terraform(bed, { name: workspace, cidr, approval: true }).file);
  await waits(id);
  return id;
};

pageTest(
  "README.md",
  async (shell) => {
    const port = freePort();
    mkdirSync(shell.path("dist"));
    symlinkSync(bed.path("commands/runner"), shell.path("dist/runner"));
    cpSync(EXAMPLES, shell.path("examples"), { recursive: true, filter: (path) => !path.endsWith("/.runner") });
    shell.set({
      RUNNER_ADMIN_KEY: null,
      RUNNER_LISTEN: `127.0.0.1:${port}`,
      RUNNER_COORDINATOR_URL: `http://127.0.0.1:${port}`,
    });
    const printed = await shell.next({
      "127.0.0.1:8080": `127.0.0.1:${port}`,
      "runners create eu-1":
        "runners create eu-1 | tee made; for name in id token; do grep ^$name made | xargs -n1 | tail -n1 > $name; done",
      "RUNNER_ID=run…": "RUNNER_ID=$(<id)",
      "RUNNER_API_TOKEN=…": "RUNNER_API_TOKEN=$(<token)",
    });
    expect(printed).toContain("finished");
    expect(printed).toContain("Exit codes:");
  },
  noTerraform,
);

pageTest(
  "docs/running.md",
  async (shell) => {
    const port = freePort();
    const [etc, lib, here] = [shell.path("etc"), shell.path("lib"), `127.0.0.1:${port}`];
    mkdirSync(etc);
    shell.set({ RUNNER_ADMIN_KEY: null, RUNNER_API_TOKEN: null });
    const created = await shell.next({ "/var/lib/runner": lib, "127.0.0.1:8080": here });
    const [id = "", token = ""] = ["id", "token"].map((name) => new RegExp(`^${name} +(\\S+)`, "m").exec(created)?.[1]);
    shell.write("etc/token", `${token}\n`);
    await shell.next({ "/etc/runner": etc, "127.0.0.1:8080": here, "run…": id });
    await shell.next();
    shell.write("deploy.yaml", "type: noop\n");
    const job = await submitted(action(bed, { name: "wrong", wait: true }).file);
    const waiting = await change("running", "10.0.0.0/16");
    shell.set({ ...control.admin() });
    await shell.next({ JOB: job, CHANGE: waiting });
    expect((await control.ended(job)).status).toBe("cancelled");
    expect((await control.ended(waiting)).status).toBe("finished");
  },
  noTerraform,
);

pageTest(
  "docs/changes.md",
  async (shell) => {
    await apply("network", "10.0.0.0/16");
    const [good, bad] = [await change("network", "10.1.0.0/16"), await change("databases", "10.0.0.0/16")];
    const stale = await change("network", "10.9.0.0/16");
    const shown = await shell.next({
      "show chg…": `show ${good}`,
      "approve chg…": `approve ${good}`,
      "reject chg…": `reject ${bad}`,
    });
    expect(shown).toContain("approve until");
    expect([(await control.ended(good)).status, await status(bad)]).toEqual(["finished", "approval-denied"]);

    const refused = await bed.run(["job", "approve", stale], control.admin());
    const [said] = docBlocks("docs/changes.md").filter(({ says }) => says.as === "said");
    const words = (text = "") =>
      text
        .replace(/serial \d+|at \d+/g, "#")
        .replace(/\s+/g, " ")
        .trim();
    expect(words(refused.stdout + refused.stderr + (await control.show(stale)).reason)).toContain(words(said?.text));
    const again = await shell.next({ "chg…": stale });
    expect(again).toContain("chg");
    // What was planned anew waits for nobody.
    for (const one of (await control.show(stale)).status === "failed"
      ? [again.trim().split(/\s+/).at(-1) ?? ""]
      : [stale]) {
      await waits(one);
      await bed.run(["job", "approve", one], control.admin());
      expect((await control.ended(one)).status).toBe("finished");
    }

    await shell.next();
    expect(await shell.next()).toContain("cidr");
    expect(JSON.parse(await Bun.file(shell.path("network.tfstate")).text())).toMatchObject({ serial: 1 });
    await shell.next();
  },
  noTerraform,
);

pageTest("docs/compatibility.md", async (shell) => {
  const job = await submitted(action(bed, { name: "traced" }).file);
  await control.ended(job);
  const point = { asDouble: 3, attributes: [] };
  const body = {
    resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: "up", gauge: { dataPoints: [point] } }] }] }],
  };
  const own = await control.createRunner("go");
  const answer = await fetch(`${control.url}/v1/runners/${own.id}/metrics`, {
    method: "POST",
    headers: { authorization: `Bearer ${own.token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  expect(answer.status).toBe(201);
  const printed = await shell.next({ "/RUNNER/": `/${own.id}/`, "/JOB/": `/${job}/` });
  expect(printed).toContain("runner_reported_metric{");
});

pageTest("docs/handlers/plugins.md", async (shell) => {
  cpSync(join(EXAMPLES, "handlers"), shell.folder, { recursive: true });
  const etc = shell.path("etc");
  const printed = await shell.next({ "/etc/runner": etc, "run …": "run" });
  expect(printed).toMatch(/plug-ins? .*x-disk-report/);
  expect(await shell.next({ "/etc/runner": etc })).toContain("finished");
});

pageTest(
  "docs/handlers/tools.md",
  async (shell) => {
    const etc = shell.path("etc");
    mkdirSync(etc);
    const lines = (docBlocks("docs/handlers/tools.md")[0]?.text ?? "")
      .split("\n")
      .filter((line) => !line.startsWith("$ "));
    // Sums as long as sums are.
    const sums = lines
      .map((line) => line.replace(/^(\w+)…(\w+)/, (_, a, b) => `${a}${"0".repeat(64 - 6)}${b}`))
      .join("\n");
    shell.write("etc/tool-sums", sums);
    expect(await shell.next({ "/etc/runner": etc, "run …": "run" })).toBe(sums);
    await shell.next({ "run …": "run", "/etc/ssl/private-ca.pem": makePki(shell.path("pki")).ca });
  },
  without(openssl !== null),
);

pageTest(
  "docs/sources.md",
  async (shell) => {
    const server = await startSshServer(shell.path("ssh"));
    mkdirSync(shell.path("etc"));
    const port = new URL(server.url).port;
    await shell.next({ "2222 git.example.com": `${port} 127.0.0.1`, "/etc/runner": shell.path("etc"), "run …": "run" });
    expect(await Bun.file(shell.path("etc/known_hosts")).text()).toContain(server.hostLine().trim());
    await server.stop();
  },
  without(hasSshServer),
);

pageTest("docs/operations.md", async (shell, id) => {
  const [health, port] = [freePort(), freePort()];
  await shell.next({ "127.0.0.1:9464": `127.0.0.1:${health}` });
  for (const path of ["livez", "readyz", "metrics", "status"]) {
    await until(path, async () => (await fetch(`http://127.0.0.1:${health}/${path}`)).ok);
  }
  shell.write("admin.key", env.RUNNER_ADMIN_KEY ?? "");
  expect(await shell.next({ "127.0.0.1:8080": control.url.slice(7) })).toContain("runner_coordinator_held_claims ");

  const collector = startOtlpReceiver();
  const at = `--listen 127.0.0.1:${port} --data-dir ${shell.path("data")}`;
  await shell.next({
    "http://collector:4318": `${collector.url} OTEL_BSP_SCHEDULE_DELAY=50`,
    "coordinator …": `coordinator ${at}`,
    "run …": "run",
  });
  await control.ended(await control.submit(action(bed, { name: "seen" }).file, id));
  await until("the collector has heard of it", () => collector.spans.length > 0);

  expect(await shell.next({ "/var/lib/runner/all": bed.path("state/docs/operations.md") })).not.toBe("");
  const list = await bed.run(["audit", "list", "--json"], control.admin());
  await shell.next({ HASH: JSON.parse(list.stdout.trimEnd().split("\n").at(-1) ?? "").hash });
  await shell.next({ "run…": runner.id });
  collector.stop();
});

pageTest("docs/page.md", async (shell) => {
  const job = await submitted(action(bed, { name: "read", body: 'echo "an error"\n' }).file);
  await control.ended(job);
  const printed = await shell.next({ "/JOB/": `/${job}/` });
  expect(printed).toContain("an error");
  expect(await shell.next()).toStartWith("[");
});

pageTest("docs/policy.md", async (shell) => {
  const policy = docBlocks("docs/policy.md").find(({ says }) => says.as === "policy")?.text ?? "";
  mkdirSync(shell.path("etc"));
  shell.write("policy.yaml", policy);
  writeFileSync(shell.path("etc/policy.yaml"), policy, { mode: 0o600 });
  cpSync(terraform(bed, { name: "ours" }).file, shell.path("job.yaml"));
  cpSync(bed.path("ours"), shell.path("ours"), { recursive: true });
  expect(await shell.next({ "/etc/runner": shell.path("etc") })).toContain("our-modules");
  const port = freePort();
  const given = Object.entries(coordinatorAt(shell, port)).map(([name, value]) => `${name}=${value} `);
  await shell.next({
    "runner coordinator": `${given.join("")}runner coordinator`,
    "runner run": "runner run",
  });
});

pageTest("docs/rotate-keys.md", async (shell) => {
  const platform = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ url }) =>
      url.endsWith("/token-exchange")
        ? Response.json({ token: "t0ken-of-the-exchange" }, { status: 201 })
        : new Response("proof"),
  });
  mkdirSync(shell.path("etc"));
  await shell.next({
    "runner mng": `GCE_METADATA_HOST=127.0.0.1:${platform.port} runner mng`,
    "https://control.example.com": `http://127.0.0.1:${platform.port} --cloud gcp`,
    "run…": "run1",
    "/etc/runner": shell.path("etc"),
  });
  expect(await Bun.file(shell.path("etc/token")).text()).toBe("t0ken-of-the-exchange\n");
  await platform.stop(true);
});

pageTest(
  "docs/tls.md",
  async (shell) => {
    const [authority = ""] = commandsOf("docs/tls.md", "authority");
    const made = authority.replace("DNS:control.example.com", "IP:127.0.0.1");
    expect(Bun.spawnSync(["sh", "-eu", "-c", made], { cwd: shell.folder }).exitCode).toBe(0);
    const port = freePort();
    await shell.next({ "0.0.0.0:8443": `127.0.0.1:${port} --data-dir data` });
    const url = `https://127.0.0.1:${port}`;
    const operator = {
      RUNNER_COORDINATOR_URL: url,
      RUNNER_CA_FILE: shell.path("ca.pem"),
      RUNNER_ADMIN_KEY_FILE: shell.path("data/admin.key"),
    };
    const { id, token } = JSON.parse((await bed.run(["runners", "create", "eu-1", "--json"], operator)).stdout);
    await shell.next({ "runner run": `RUNNER_API_URL=${url} RUNNER_ID=${id} RUNNER_API_TOKEN=${token} runner run` });
  },
  without(openssl !== null),
);

pageTest("docs/troubleshooting.md", async (shell) => {
  const printed = await shell.next({
    "runner doctor --coordinator": `runner doctor --coordinator --listen 127.0.0.1:${freePort()} --data-dir data`,
  });
  expect(printed).toContain("api-url");
});

pageTest("docs/nuon-control-plane.md", async (shell) => {
  const { id, token } = await control.createRunner("nuon");
  await shell.next({ "https://runner.example": control.url, "run…": id, "API_TOKEN=…": `API_TOKEN=${token}` });
  expect(shell.said()).toContain("connected dialect=nuon");
});
