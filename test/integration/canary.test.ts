import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasEnded } from "../../internal/protocol/enums.ts";
import type { JobShow } from "../../internal/protocol/operator.ts";
import { type Engine, engineMissing, startPodman } from "../bed/engines.ts";
import { goProgram } from "../bed/go-program.ts";
import { type KubeNode, nodeMissing, startNode } from "../bed/node/node.ts";
import { type Registry, registryMissing, startRegistry } from "../bed/registry.ts";
import { addRunner, type Control, leftOver, type RunnerHandle, startControl } from "../faults/lib/control.ts";
import { type Bed, freePort, makeBed, until } from "../faults/lib/processes.ts";
import { columnsWith, commandLines, filesWith, finderOf } from "../lib/canary.ts";
import { startGitServer } from "../lib/git-server.ts";
import { type OtlpReceiver, startOtlpReceiver } from "../lib/otlp-receiver.ts";
import { makePki } from "../lib/pki.ts";
import { chartOf } from "./helm/bed.ts";

/** One secret for each way in, each with a form of its own in every encoding. */
const odd = (way: string) => `c4n4ry-${way} "Ä/<+&>\\ 0f-tH3=%`;
const PRINTED = odd("printed");
const FILED = odd("filed");
const LOGIN = odd("login");
const WRONG_LOGIN = odd("wrong");
const GIT_LOGIN = odd("git-login");
const VARIABLE = odd("variable");
const VALUE = "c4n4ry-helm-value-0f-tH3";
const POD = odd("pod");
const PLUGIN = odd("plugin");
const MANIFEST = odd("manifest");

/** What peers consume is never altered: plans, their documents, outputs and Terraform's state. */
const WIRE = ["documents.json", "executions.outputs", "plans.text", "state_json.json", "states.body"];

interface Case {
  readonly job: Readonly<Record<string, unknown>>;
  readonly ends: "finished" | "failed";
  /** Its log shows that the work was done and the secret taken out. */
  readonly says: string;
}

const PLUGIN_FILE = `
export const handler = ({ z }) => ({
  types: ["x-canary"],
  sensitive: ["token"],
  plan: z.looseObject({ token: z.string() }),
  async execute(ctx) {
    ctx.log.info("plug-in has " + ctx.plan.token, { field: ctx.plan.token });
    const argv = ["/bin/sh", "-c", 'echo "plug-in tells $T"'];
    await ctx.step({ name: "tell" }, () => ctx.exec({ key: "tell", argv, env: ctx.tools.env({ T: ctx.plan.token }), cwd: ctx.workspace.root }));
    throw new Error("no door for " + ctx.plan.token);
  },
});
`;
const MODULE = `
variable "colour" {
  type      = string
  sensitive = true
}
resource "terraform_data" "one" {
  input = var.colour
  provisioner "local-exec" {
    command     = "echo terraform has \\"$C\\""
    environment = { C = nonsensitive(var.colour) }
  }
}
output "shown" {
  value     = terraform_data.one.output
  sensitive = true
}
`;

function makeRepository(folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "a.txt"), "a file\n");
  const env = { PATH: process.env.PATH ?? "", HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1" };
  const author = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
  for (const args of [
    ["init", "-q", "-b", "main"],
    ["add", "."],
    [...author, "commit", "-q", "-m", "first"],
  ]) {
    if (!Bun.spawnSync(["git", "-C", folder, ...args], { env }).success) throw new Error(`git ${args.join(" ")}`);
  }
}

const reason =
  nodeMissing() ??
  engineMissing("podman") ??
  registryMissing() ??
  (goProgram("helm3") ? null : "helm is not built") ??
  (Bun.which("terraform") ? null : "no terraform on PATH");
/** Without CI a machine that cannot run all of this is no failure. */
const skip = reason !== null && process.env.CI !== "true";

describe.skipIf(skip)("secrets of every handler and every way in", () => {
  let bed: Bed;
  let inputs: string;
  let node: KubeNode;
  let engine: Engine;
  let registry: Registry;
  let git: ReturnType<typeof startGitServer>;
  let collector: OtlpReceiver;
  let control: Control;
  let runner: RunnerHandle;
  let token = "";
  let health = "";

  beforeAll(async () => {
    bed = makeBed();
    inputs = mkdtempSync(join(tmpdir(), "canary-inputs-"));
    collector = startOtlpReceiver();
    const pki = makePki(join(inputs, "pki"));
    git = startGitServer({ root: join(inputs, "repositories"), login: () => `ci:${GIT_LOGIN}`, tls: pki.issue("git") });
    makeRepository(join(inputs, "repositories", "team"));
    [node, engine, registry] = await Promise.all([
      startNode(),
      startPodman(),
      startRegistry({ user: { name: "ci", password: LOGIN } }),
    ]);
    engine.run("push", "--tls-verify=false", `--creds=ci:${LOGIN}`, "localhost/bb:1", `${registry.host}/team/bb:1`);
    engine.run("rmi", "-f", `${registry.host}/team/bb:1`);
    await node.kubectl(["create", "serviceaccount", "canary"]);
    await node.kubectl([
      "create",
      "clusterrolebinding",
      "canary",
      "--clusterrole=cluster-admin",
      "--serviceaccount=default:canary",
    ]);
    token = (await node.kubectl(["create", "token", "canary"])).trim();
    const telemetry = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: "200" };
    control = await startControl(bed, { env: telemetry });
    const bin = bed.path("bin");
    mkdirSync(bin);
    symlinkSync(goProgram("helm3") ?? "", join(bin, "helm"));
    mkdirSync(bed.path("plugins"), { mode: 0o755 });
    writeFileSync(bed.path("plugins", "canary.ts"), PLUGIN_FILE, { mode: 0o644 });
    const insecure = bed.path("registries.conf");
    writeFileSync(insecure, `[[registry]]\nlocation = "${registry.host}"\ninsecure = true\n`);
    health = `127.0.0.1:${freePort()}`;
    runner = await addRunner(bed, control, {
      flags: ["--log-level", "debug", "--log-interval", "50ms", "--health-listen", health],
      env: {
        ...telemetry,
        ...engine.env,
        CONTAINERS_REGISTRIES_CONF: insecure,
        SSL_CERT_FILE: pki.ca,
        PATH: `${bin}:${process.env.PATH}`,
        RUNNER_CONTAINER_ENGINE: "podman",
        RUNNER_HANDLERS_DIR: bed.path("plugins"),
        RUNNER_CONCURRENCY: "actions=4,scripts=4,containers=4,deploy=4,plugins=4",
      },
    });
  }, 180_000);
  afterAll(async () => {
    await bed?.end();
    collector?.stop();
    git?.stop();
    await Promise.all([node?.end(), engine?.end(), registry?.end()]);
    rmSync(inputs, { recursive: true, force: true });
  }, 120_000);

  function cases(): Readonly<Record<string, Case>> {
    const cluster = { kubeconfig: { env: "KUBE" } };
    const run = (more: string) =>
      `echo "it has $S and $(cat "$F" 2>/dev/null || printf %s "$F")"; echo "$S" | base64 -w0; ${more}`;
    const env = { S: { env: "PRINTED" }, F: { file: "./filed" } };
    const chart = chartOf({
      "templates/NOTES.txt": "the password is {{ .Values.password }}\n",
      "templates/shown.yaml":
        'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: "{{ .Release.Name }}-shown" }\ndata: { p: {{ .Values.password | quote }} }\n',
    });
    cpSync(chart, join(inputs, "chart"), { recursive: true });
    mkdirSync(join(inputs, "module"));
    writeFileSync(join(inputs, "module", "main.tf"), MODULE);
    const from = (password: string) => ({
      git: { url: `${git.url}/team.git`, credentials: { username: "ci", password: { env: password } } },
    });
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "canary" }, stringData: { p: MANIFEST } };
    return {
      action: {
        job: {
          type: "actions-workflow",
          spec: { env, steps: [{ name: "one", run: run('echo "t=$S" >> "$RUNNER_OUTPUT"; echo "$S" >&2; exit 3') }] },
        },
        ends: "failed",
        says: "it has [redacted] and [redacted]",
      },
      script: {
        job: {
          type: "script",
          spec: { language: "shell", code: run('echo "t=$S" >> "$RUNNER_OUTPUT"'), env, source: from("GIT_LOGIN") },
        },
        ends: "finished",
        says: "it has [redacted] and [redacted]",
      },
      container: {
        job: {
          type: "container",
          outputs: { t: { sensitive: true } },
          spec: {
            image: `${registry.host}/team/bb:1`,
            pull: "always",
            credentials: { username: "ci", password: { env: "LOGIN" } },
            env: { S: { env: "PRINTED" }, F: "/filed" },
            files: { "/filed": { file: "./filed" } },
            command: ["sh", "-c", run('echo "t=$S" >> "$RUNNER_OUTPUT"; sleep 1')],
          },
        },
        ends: "finished",
        says: "it has [redacted] and [redacted]",
      },
      "container-refused": {
        job: {
          type: "container",
          spec: {
            image: `${registry.host}/team/bb:1`,
            pull: "always",
            credentials: { username: "ci", password: { env: "WRONG_LOGIN" } },
          },
        },
        ends: "failed",
        says: "refused the login",
      },
      "git-refused": {
        job: {
          type: "script",
          spec: {
            source: from("WRONG_LOGIN"),
            language: "shell",
            code: "true",
          },
        },
        ends: "failed",
        says: "team.git",
      },
      terraform: {
        job: {
          type: "terraform-deploy",
          spec: { source: { path: "./module" }, workspace: "canary", vars: { colour: { env: "VARIABLE" } } },
        },
        ends: "finished",
        says: "terraform has [redacted]",
      },
      helm: {
        job: {
          type: "helm-chart-deploy",
          spec: { source: { path: "./chart" }, release: "canary", cluster, set: { password: { env: "VALUE" } } },
        },
        ends: "finished",
        says: "canary",
      },
      manifest: {
        job: { type: "kubernetes-manifest-deploy", spec: { manifest: JSON.stringify(secret), cluster } },
        ends: "finished",
        says: "Secret default/canary",
      },
      kubejob: {
        job: {
          type: "job-deploy",
          spec: {
            cluster,
            image: "localhost/bb:1",
            pull_policy: "Never",
            env: { S: { env: "POD" } },
            command: ["sh", "-c", 'echo "the pod has $S"; echo "$S" > /dev/termination-log; sleep 1; exit 3'],
          },
        },
        ends: "failed",
        says: "the pod has [redacted]",
      },
      "plug-in": {
        job: { type: "x-canary", spec: { token: { env: "PLUGIN" } } },
        ends: "failed",
        says: "plug-in tells [redacted]",
      },
    };
  }

  test("are in no log, span, metric, reason, result, output, argument, event, audit line or file", async () => {
    const table = cases();
    writeFileSync(join(inputs, "filed"), FILED);
    const secrets = { PRINTED, LOGIN, WRONG_LOGIN, GIT_LOGIN, VARIABLE, VALUE, POD, PLUGIN };
    const kube = node.configFor("admin").replace("admintoken", token);
    const ids = new Map<string, string>();
    for (const [name, { job }] of Object.entries(table)) {
      const file = join(inputs, `${name}.json`);
      writeFileSync(file, JSON.stringify({ name, ...job }));
      ids.set(name, await control.submit(file, undefined, { ...secrets, KUBE: kube }));
    }
    const finders = Object.entries({ ...secrets, FILED, MANIFEST, TOKEN: token }).map(
      ([name, secret]) => [name, finderOf(secret)] as const,
    );
    const find = (text: string) => finders.flatMap(([name, look]) => look(text).map((form) => `${name}, ${form}`));

    const arguments_ = new Set<string>();
    const docs = new Map<string, JobShow>();
    await until(
      "all have ended",
      async () => {
        for (const line of commandLines()) arguments_.add(line);
        for (const [name, id] of ids) {
          const doc = await control.show(id);
          if (hasEnded(doc.status)) docs.set(name, doc);
        }
        return docs.size === ids.size;
      },
      120_000,
    );
    for (const id of ids.values()) await control.ended(id);
    await until("nothing is left", async () => (await leftOver(bed, control, runner)).length === 0);

    const shown: Record<string, string> = {};
    const get = async (path: string, base = `${control.url}/api/v1`) => {
      const headers = { Authorization: `Bearer ${control.admin().RUNNER_ADMIN_KEY}` };
      const answer = await fetch(base + path, { headers });
      const text = await answer.text();
      shown[base + path] = text;
      expect([path, answer.status]).toEqual([path, 200]);
      return text;
    };
    for (const [name, id] of ids) {
      await get(`/jobs/${id}`);
      const jobs = docs.get(name)?.jobs ?? [];
      const logs: string[] = [];
      for (const { id: job } of jobs) {
        for (const format of ["text", "ndjson"]) {
          logs.push(await get(`/jobs/${job}/logs?format=${format}`));
        }
      }
      const { status, reason } = await control.show(id);
      expect([name, status, reason]).toEqual([name, table[name]?.ends ?? "", reason]);
      expect([name, `${logs.join("\n")}\n${reason}`]).toEqual([name, expect.stringContaining(table[name]?.says ?? "")]);
    }
    for (const path of ["/jobs", "/events", "/workspaces", "/runners", "/audit"]) await get(path);
    await get("/metrics", control.url);
    await get("/metrics", `http://${health}`);
    await get("/status", `http://${health}`);
    await until("spans have come", () => collector.spans.some((span) => span.name.includes("execute")));

    const told = { ...shown, spans: collector.text(), arguments: [...arguments_].join("\n") };
    const processes = { runner: runner.proc.stderr(), coordinator: control.proc.stderr() };
    for (const [where, text] of Object.entries({ ...told, ...processes })) {
      expect([where, ...find(text)]).toEqual([where]);
    }
    expect(filesWith(bed.root, find, /^coordinator\.db/)).toEqual([]);
    await control.proc.kill9();
    const database = bed.path("coordinator", "coordinator.db");
    expect(columnsWith(database, find).filter((column) => !WIRE.includes(column))).toEqual([]);
  }, 180_000);
});
