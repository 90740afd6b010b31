import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { artifactSource, pullArtifact } from "../../../internal/kit/oci/index.ts";
import { goProgram } from "../../bed/go-program.ts";
import { type GoBed, startGoBed } from "./lib/bed.ts";

const puller = goProgram("oci-puller");
const oras = goProgram("oras");
const inCi = process.env.CI === "true";

/**
 * Packed folders served by a coordinator over TLS, pulled by programs that are not ours: the Go library that Nuon's
 * runner uses, and plain `oras`.
 */
describe.skipIf((puller === null || oras === null) && !inCi)("a packed folder (needs oras and Go)", () => {
  let bed: GoBed;
  beforeAll(async () => {
    bed = await startGoBed({ tls: true });
    const module = bed.path("module");
    mkdirSync(join(module, "files/hollow"), { recursive: true });
    writeFileSync(join(module, "main.tf"), 'output "x" { value = "one" }\n');
    writeFileSync(join(module, "files/run.sh"), "#!/bin/sh\n");
    chmodSync(join(module, "files/run.sh"), 0o755);
    writeFileSync(join(module, "files/empty"), "");
    symlinkSync("../main.tf", join(module, "files/link"));
  });
  afterAll(() => bed.end());

  /** A job that a runner has taken up: its registry block, with credentials that hold while the execution lasts. */
  async function taken(workspace: string) {
    const { id, token } = await bed.createRunner(workspace);
    const call = async (method: string, path: string) => {
      const answer = await fetch(`${bed.url}/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        ...(method === "GET" ? {} : { body: "null" }),
        tls: { ca: bed.ca?.pem ?? "" },
      });
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
      return JSON.parse(await answer.text());
    };
    const spec = { source: { path: "./module" }, workspace, version: "1.11.4" };
    await bed.submit({ type: "terraform-deploy", operation: "plan", name: workspace, spec }, id);
    const [job] = await call("GET", `/runners/${id}/jobs?group=deploy`);
    await call("POST", `/runner-jobs/${job.id}/executions`);
    const { src_registry: registry, src_tag: tag } = await call("GET", `/runner-jobs/${job.id}/plan`);
    const host = String(registry.LoginServer).replace("https://", "");
    return { job: String(job.id), registry, tag: String(tag), host };
  }
  type Taken = Awaited<ReturnType<typeof taken>>;

  async function pullWithGo(...orders: readonly { readonly from: Taken; readonly into: string }[]) {
    const lines = orders.map(({ from: { registry, tag, host }, into }) => {
      const { Username: username, Password: password } = registry.OCIAuth;
      return JSON.stringify({
        host,
        repository: registry.Repository.replace(`${host}/`, ""),
        tag,
        username,
        password,
        into,
      });
    });
    const child = Bun.spawn([puller ?? "", bed.ca?.file ?? ""], {
      stdin: Buffer.from(`${lines.join("\n")}\n`),
      stdout: "pipe",
      env: {},
    });
    const text = await new Response(child.stdout).text();
    return text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { digest?: string; error?: string });
  }

  test("is pulled whole by oras-go, with Basic credentials after a 401 and over HTTPS", async () => {
    const from = await taken("whole");
    const [answer] = await pullWithGo({ from, into: bed.path("go") });
    expect(answer).toEqual({ digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) });
    expect(readFileSync(bed.path("go/main.tf"), "utf8")).toContain('value = "one"');
    expect(readdirSync(bed.path("go/files"))).toEqual(["run.sh"]);
  }, 30_000);

  test("is pulled twice by a client that remembers the first job's credentials for the host", async () => {
    const first = await taken("first");
    const second = await taken("second");
    await bed.api("POST", `/jobs/${first.job}/cancel`, {});
    const answers = await pullWithGo(
      { from: second, into: bed.path("go-1") },
      { from: await taken("third"), into: bed.path("go-2") },
    );
    // Both jobs have the same folder: what the first may read is what the second asks for.
    expect(answers.map(({ error }) => error)).toEqual([undefined, undefined]);
    // Credentials of a job that has ended open nothing.
    const [refused] = await pullWithGo({ from: first, into: bed.path("go-3") });
    expect(refused?.error).toContain("401");
  }, 30_000);

  test("is pulled by plain oras, by tag, and its manifest is what was packed", async () => {
    const { registry, tag, host } = await taken("plain");
    const reference = `${host}/${registry.Repository.replace(`${host}/`, "")}:${tag}`;
    const login = ["--username", registry.OCIAuth.Username, "--password-stdin", "--ca-file", bed.ca?.file ?? ""];
    const run = (...args: string[]) =>
      Bun.spawn([oras ?? "", ...args, ...login], {
        stdin: Buffer.from(registry.OCIAuth.Password),
        stdout: "pipe",
        stderr: "pipe",
        env: { HOME: bed.path() },
      });
    const pull = run("pull", "--no-tty", "--output", bed.path("oras"), reference);
    expect([await pull.exited, await new Response(pull.stderr).text()]).toEqual([0, ""]);
    expect(readdirSync(bed.path("oras"), { recursive: true }).map(String).sort()).toEqual([
      "files",
      "files/run.sh",
      "main.tf",
    ]);
    const manifest = run("manifest", "fetch", reference);
    const document = JSON.parse(await new Response(manifest.stdout).text());
    expect(document.config.mediaType).toBe("artifact/nuon");
    const push = run("push", "--no-tty", `${host}/sources/mine:1`, "--artifact-type", "x/y");
    expect(await push.exited).not.toBe(0);
  }, 30_000);

  test("is never offered to a Go runner when it has to be synthesised first", async () => {
    const module = bed.path("cdktf");
    mkdirSync(module);
    writeFileSync(join(module, "main.tf"), "");
    writeFileSync(join(module, "cdktf.json"), '{"app":"bun main.ts"}');
    const { id, token } = await bed.createRunner("cdktf");
    const offered = async () => {
      const jobs = await bed.sdk({ id, token }).jobs(id, "deploy");
      return jobs.map((one) => one.id);
    };
    const submit = (workspace: string, path: string) => {
      const spec = { source: { path }, workspace, version: "1.11.4" };
      return bed.submit({ type: "terraform-deploy", operation: "plan", name: workspace, spec }, id);
    };
    await submit("synthesised", "./cdktf");
    const plain = await submit("written", "./module");
    expect(await offered()).toEqual([plain]);
  }, 30_000);

  test("is restored by our own client with modes, links, empty files and empty folders", async () => {
    const { registry, tag } = await taken("ours");
    const into = bed.path("ours");
    await pullArtifact(artifactSource(registry, tag), into, { ca: bed.ca?.pem });
    expect((statSync(join(into, "files/run.sh")).mode & 0o777).toString(8)).toBe("755");
    expect(statSync(join(into, "files/empty")).size).toBe(0);
    expect(lstatSync(join(into, "files/hollow")).isDirectory()).toBe(true);
    expect(readlinkSync(join(into, "files/link"))).toBe("../main.tf");
  }, 30_000);
});
