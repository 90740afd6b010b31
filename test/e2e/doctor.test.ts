import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { addRunner, type Control, startControl } from "../faults/lib/control.ts";
import { freePort, makeBed, until } from "../faults/lib/processes.ts";
import { startOtlpReceiver } from "../lib/otlp-receiver.ts";
import { makePki, openssl } from "../lib/pki.ts";
import { newSigner, signLatest, writeRelease } from "../lib/release-folder.ts";

const bed = makeBed();
afterAll(() => bed.end());

interface Finding {
  readonly check: string;
  readonly status: "ok" | "warning" | "failed";
  readonly text: string;
  readonly remedy: string | null;
}

/** Quick and without the network: no tool is looked for unless a test says where. */
const QUIET = { PATH: "/nonexistent", RUNNER_TOOLS_MIRROR: "http://127.0.0.1:1" };
const state = ["--state-dir", bed.path("state")];

async function doctor(args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await bed.run(["doctor", "--json", ...args], { ...QUIET, ...env });
  expect(stderr).toBe("");
  const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: Finding[] };
  expect(code).toBe(ok ? 0 : 1);
  return (check: string): Finding => {
    const found = findings.find((one) => one.check === check);
    if (!found) throw new Error(`no finding of ${check}: ${stdout}`);
    return found;
  };
}
const runnerSide = (args: readonly string[], env?: Record<string, string>) => doctor([...state, ...args], env);
const coordinatorSide = (...args: string[]) => doctor(["--coordinator", "--data-dir", bed.path("data"), ...args]);
const tells = (found: Finding, status: Finding["status"], text: string, remedy: string) => {
  expect([found.status, found.text, found.remedy ?? ""]).toEqual([
    status,
    expect.stringContaining(text),
    expect.stringContaining(remedy),
  ]);
};
const good = { status: "ok", remedy: null };

describe("`runner doctor` finds what a runner would stumble over, and its remedy works", () => {
  test("a state directory that is a file: another one", async () => {
    writeFileSync(bed.path("file"), "");
    const sick = await doctor(["--state-dir", bed.path("file")]);
    tells(sick("state directory"), "failed", "it is a file", "with --state-dir");
    expect((await runnerSide([]))("state directory")).toMatchObject(good);
  });

  test("too little space: asking for less", async () => {
    const sick = await runnerSide(["--min-free", "1PiB"]);
    tells(sick("state directory"), "failed", "1.0 PiB are needed", "with --min-free");
    expect((await runnerSide(["--min-free", "1MiB"]))("state directory")).toMatchObject(good);
  });

  test("a control plane that is not there: starting it", async () => {
    const port = freePort();
    const url = `http://127.0.0.1:${port}`;
    const sick = await runnerSide(["--api-url", url]);
    tells(sick("control plane"), "failed", "connection refused", "Is it running? Check --api-url");
    const proc = bed.spawn(["coordinator", "--listen", `127.0.0.1:${port}`, "--data-dir", bed.path("second")]);
    await until("it answers", async () => (await fetch(`${url}/readyz`).catch(() => null))?.ok);
    expect((await runnerSide(["--api-url", url]))("control plane")).toMatchObject(good);
    await proc.kill9();
  });

  test("a clock that is an hour off: setting it", async () => {
    let offMs = 3_600_000;
    const date = () => new Date(Date.now() + offMs).toUTCString();
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Response("", { status: 404, headers: { date: date() } }),
    });
    const args = ["--api-url", `http://127.0.0.1:${server.port}`];
    tells((await runnerSide(args))("clock"), "failed", "s behind that of", "timedatectl set-ntp true");
    offMs = 0;
    expect((await runnerSide(args))("clock")).toMatchObject(good);
    await server.stop(true);
  });

  test("proxies: one that is dead, one that is no address, two of two minds: correcting the variable", async () => {
    const dead = `http://user:secret@127.0.0.1:${freePort()}`;
    const sick = (await runnerSide([], { HTTPS_PROXY: dead }))("proxy");
    tells(sick, "failed", "nothing answers at", "Correct HTTPS_PROXY, unset it");
    expect(sick.text).not.toContain("secret");
    const nonsense = (await runnerSide([], { http_proxy: "proxy.example.com" }))("proxy");
    tells(nonsense, "failed", "http_proxy is not an address", "Write http_proxy=http://HOST:PORT");
    const two = await runnerSide([], { HTTP_PROXY: "http://127.0.0.1:1", http_proxy: "http://127.0.0.1:2" });
    tells(two("proxy"), "warning", "name two proxies", "set both to the same, or unset one");
    const live = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("") });
    const right = `http://127.0.0.1:${live.port}`;
    expect((await runnerSide([], { HTTPS_PROXY: right, https_proxy: right }))("proxy")).toMatchObject(good);
    expect((await runnerSide([]))("proxy")).toMatchObject(good);
    await live.stop(true);
  });

  test("git that is missing: putting it on PATH", async () => {
    tells((await runnerSide([]))("git"), "warning", "not on PATH", "Install git and put it on PATH.");
    mkdirSync(bed.path("bin"));
    symlinkSync(Bun.which("git") ?? "/usr/bin/git", bed.path("bin", "git"));
    expect((await runnerSide([], { PATH: bed.path("bin") }))("git")).toMatchObject(good);
  });

  test("terraform that is missing and cannot be fetched: a mirror, and it says what would be done", async () => {
    const sick = await runnerSide([]);
    tells(sick("terraform"), "warning", "http://127.0.0.1:1", "name a mirror with --tools-mirror");
    const mirror = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("") });
    const fine = (await runnerSide(["--tools-mirror", `http://127.0.0.1:${mirror.port}`]))("terraform");
    expect(fine).toMatchObject({ ...good, text: expect.stringContaining("would be fetched from http://127.0.0.1") });
    await mirror.stop(true);
  });

  test("two helms under names of their own, and sums of the operator's: each is told", async () => {
    const bin = bed.path("helms");
    mkdirSync(bin);
    writeFileSync(`${bin}/helm3`, "#!/bin/sh\necho v3.19.0+g1\n", { mode: 0o755 });
    const sums = bed.path("sums");
    writeFileSync(sums, "a sum\n");
    const sick = await runnerSide(["--tools-sums", sums], { PATH: bin });
    tells(sick("tools sums"), "failed", "line 1: not a SHA-256 and a file name", "as sha256sum does");
    writeFileSync(sums, `${"a".repeat(64)}  helm-v4.3.1-linux-amd64.tar.gz\n`);
    const helm = (await runnerSide(["--tools-sums", sums], { PATH: bin }))("helm");
    expect(helm).toMatchObject({ ...good, text: `3.19.0, ${bin}/helm3; 4.3.1 may be fetched by --tools-sums` });
  });

  test("an engine that is asked for and missing, and one that does not answer: another, or mending it", async () => {
    const wanted = await runnerSide(["--container-engine", "docker"]);
    tells(wanted("containers"), "failed", "docker is not on the PATH", "Install one");
    const bin = bed.path("engines");
    mkdirSync(bin);
    const engine = (body: string) => writeFileSync(`${bin}/docker`, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    engine('echo "Cannot connect to the Docker daemon" >&2; exit 1');
    const sick = await runnerSide([], { PATH: bin });
    tells(sick("containers"), "warning", "does not answer: Cannot connect", "Make `docker version` work");
    engine("echo 20.10.24");
    const well = (await runnerSide([], { PATH: bin }))("containers");
    expect(well).toMatchObject({ ...good, text: expect.stringContaining(`docker 20.10.24, ${bin}/docker`) });
  });

  test("a policy that is wrong, or that others can change: correcting it", async () => {
    const file = bed.path("policy.yaml");
    writeFileSync(file, "version: 1\ndefault: maybe\n");
    tells((await runnerSide(["--policy", file]))("policy"), "failed", "default", "Correct the file");
    writeFileSync(file, "version: 1\ndefault: deny\n");
    chmodSync(file, 0o666);
    tells((await runnerSide(["--policy", file]))("policy"), "failed", "can be written by others", "chmod go-w");
    chmodSync(file, 0o644);
    expect((await runnerSide(["--policy", file]))("policy")).toMatchObject(good);
    tells((await runnerSide(["--policy", bed.path("no.yaml")]))("policy"), "failed", "cannot be read", "--policy");
  });

  test("keys to trust that are none, hold a private half or may be changed by others: the right file", async () => {
    const file = bed.path("trusted.jwks");
    const trusts = async () => (await runnerSide(["--trust-keys", file]))("trusted keys");
    tells(await trusts(), "failed", "cannot be read", "--trust-keys (RUNNER_TRUST_KEYS)");
    const { stdout } = await bed.run(["keys", "create", bed.path("sign.jwk")]);
    writeFileSync(file, readFileSync(bed.path("sign.jwk")), { mode: 0o600 });
    tells(await trusts(), "failed", "holds no keys to trust", "runner keys show");
    writeFileSync(file, stdout);
    chmodSync(file, 0o620);
    tells(await trusts(), "failed", "not used while others than its owner can write it", "chmod go-w");
    chmodSync(file, 0o644);
    const { kid } = JSON.parse(stdout).keys[0];
    expect(await trusts()).toMatchObject({ ...good, text: `${file}, only work signed by ${kid} is taken` });
  });

  test("container profiles that are wrong or name what is not there: correcting them", async () => {
    const file = bed.path("profiles.yaml");
    const profiles = async () => (await runnerSide(["--container-profiles", file]))("profiles");
    writeFileSync(file, "profiles: { p: { mounts: [{ from: /run/docker.sock, to: /x }] } }");
    tells(await profiles(), "failed", "has an engine's socket", "Correct the file");
    writeFileSync(file, "profiles: { p: { mounts: [{ from: /no/such/folder, to: /x }] } }");
    tells(await profiles(), "failed", "p names /no/such/folder, which is not there", "Make it");
    writeFileSync(file, "profiles: { build: { network: bridge }, q: {} }");
    expect(await profiles()).toMatchObject({ ...good, text: `${file}, build, q` });
  });

  test("a GPU driver that does not answer: mending it", async () => {
    mkdirSync(bed.path("smi"));
    const says = (text: string) =>
      writeFileSync(bed.path("smi", "nvidia-smi"), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    const gpus = async () => (await runnerSide([], { PATH: `${bed.path("smi")}:/bin` }))("GPUs");
    says('echo "NVIDIA-SMI has failed"; exit 9');
    tells(await gpus(), "warning", "cannot be listed: NVIDIA-SMI has failed", "mend the driver");
    says('echo "GPU-1, NVIDIA A100, 40960"');
    expect(await gpus()).toMatchObject({ ...good, text: "NVIDIA A100, 40.0 GiB, GPU-1" });
    expect((await runnerSide([]))("GPUs")).toMatchObject({ ...good, text: "none" });
  });

  test("a collector that is not there, or refuses: its address and headers", async () => {
    const collector = async (url: string) => (await runnerSide([], { OTEL_EXPORTER_OTLP_ENDPOINT: url }))("collector");
    tells(await collector("http://127.0.0.1:1"), "warning", "nothing listens there", "OTEL_EXPORTER_OTLP_ENDPOINT");
    const refuses = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("", { status: 401 }) });
    tells(await collector(`http://127.0.0.1:${refuses.port}`), "warning", "it answers 401", "its headers");
    await refuses.stop(true);
    const receiver = startOtlpReceiver();
    expect(await collector(receiver.url)).toMatchObject({ ...good, text: `traces: ${receiver.url}/v1/traces answers` });
    receiver.stop();
    expect((await runnerSide([]))("collector")).toMatchObject(good);
  });

  test("a plug-in that is none, and a folder that others can write: file, reason and remedy", async () => {
    const folder = bed.path("plugins");
    mkdirSync(folder, { mode: 0o755 });
    writeFileSync(`${folder}/bad.ts`, "export const x = 1;");
    const sick = await runnerSide(["--handlers-dir", folder]);
    tells(sick("plug-in"), "failed", `${folder}/bad.ts: does not export a function`, "export const handler");
    chmodSync(folder, 0o777);
    tells(
      (await runnerSide(["--handlers-dir", folder]))("plug-in"),
      "failed",
      "can be written by others",
      "chmod go-w",
    );
    chmodSync(folder, 0o755);
    const text = 'export const handler = ({ z }) => ({ types: ["x-a"], plan: z.looseObject({}), async execute() {} });';
    writeFileSync(`${folder}/bad.ts`, text);
    expect((await runnerSide(["--handlers-dir", folder]))("plug-in")).toMatchObject({
      ...good,
      text: `x-a, ${folder}/bad.ts`,
    });
  });

  test("a token file that is missing or a CA file that is none: the right one", async () => {
    const sick = await runnerSide(["--token-file", bed.path("none"), "--ca-file", bed.path("file")]);
    tells(sick("token"), "failed", "there is no such file", "Check the path");
    tells(sick("CA file"), "failed", "holds no certificate", "BEGIN CERTIFICATE");
  });
});

describe("`runner doctor` at a site without a network", () => {
  test("tools from a folder: it names the file that is missing there", async () => {
    const folder = bed.path("mirror");
    const git = { RUNNER_TOOLS_MIRROR: folder };
    const sick = (await runnerSide([], git))("terraform");
    tells(sick, "warning", `and ${folder}, from which`, "`tools` of a release made with --tools");
    const [, file = ""] = /has no (\S+)$/.exec(sick.text) ?? [];
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, "");
    expect((await runnerSide([], git))("terraform")).toMatchObject({
      ...good,
      text: expect.stringContaining(`would be taken from the folder ${folder}`),
    });
  });

  test("releases that are not there, not signed, or signed by another: the address, the key", async () => {
    const signer = newSigner();
    const [base, pub] = [bed.path("releases"), bed.path("release.pub")];
    writeFileSync(pub, signer.publicText);
    const releases = async (at: string) => (await runnerSide(["--release-url", at, "--public-key", pub]))("releases");
    tells(await releases(base), "failed", "there is no release at", "Check the base address");
    tells(await releases("http://127.0.0.1:1"), "warning", "127.0.0.1:1", "");
    writeRelease(`${base}/1.0.0`, signer, { version: "1.0.0", programs: [] });
    writeFileSync(`${base}/latest`, "1.0.0\n");
    tells(await releases(base), "failed", "latest is not signed", "tell who keeps the releases");
    signLatest(base, "1.0.0", newSigner());
    tells(await releases(base), "failed", "is not one of the trusted key", "--public-key");
    signLatest(base, "1.0.0", signer);
    expect(await releases(base)).toMatchObject({ ...good, text: `1.0.0 at ${base}/1.0.0, signed by the trusted key` });
  });
});

describe("`runner doctor` against a coordinator", () => {
  let control: Control;
  beforeAll(async () => {
    control = await startControl(bed);
  });

  test("a token that is refused: the command of the remedy makes one that is taken", async () => {
    const { id, token } = await control.createRunner("doctor");
    const env = { RUNNER_API_URL: control.url, RUNNER_ID: id };
    const sick = (await runnerSide([], { ...env, RUNNER_API_TOKEN: "wrong-token-wrong-token" }))("token");
    tells(sick, "failed", "refused", `runner runners rotate ${id}`);
    expect((await runnerSide([], { ...env, RUNNER_API_TOKEN: token }))("token")).toMatchObject(good);
    const command = /`runner ([^`]+)`/.exec(sick.remedy ?? "")?.[1]?.split(" ") ?? [];
    const rotated = JSON.parse((await bed.run([...command, "--json"], control.admin())).stdout);
    expect((await runnerSide([], { ...env, RUNNER_API_TOKEN: rotated.token }))("token")).toMatchObject(good);
  });

  test("no address, no id, no token: what to set", async () => {
    const url = { RUNNER_API_URL: control.url };
    tells((await runnerSide([]))("control plane"), "warning", "no address is given", "RUNNER_API_URL");
    tells((await runnerSide([], url))("token"), "warning", "no runner id is given", "RUNNER_ID");
    tells((await runnerSide([], { ...url, RUNNER_ID: "run1" }))("token"), "warning", "no token", "RUNNER_API_TOKEN");
  });

  test("plain HTTP to another machine: https", async () => {
    // Whoever stands between could read the token, as this proxy could.
    const proxy = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("", { status: 404 }) });
    const env = { HTTP_PROXY: `http://127.0.0.1:${proxy.port}` };
    const sick = (await runnerSide(["--api-url", "http://control.example.com"], env))("encryption");
    tells(sick, "warning", "the token can be read on the way", "use https://");
    await proxy.stop(true);
  });

  test("the wrong dialect: leaving --dialect out", async () => {
    const args = ["--api-url", control.url];
    const sick = (await runnerSide([...args, "--dialect", "nuon"]))("control plane");
    tells(sick, "failed", "speaks native, not nuon", "Leave --dialect out");
    expect((await runnerSide(args))("control plane")).toMatchObject(good);
  });

  test("a state directory in use: it says so, and no more when that runner has ended", async () => {
    const runner = await addRunner(bed, control, { name: "busy" });
    await until("it is online", async () => (await control.runners()).some((one) => one.contact === "online"));
    const sick = await doctor(["--state-dir", runner.stateDir]);
    tells(sick("state directory"), "warning", "in use by a runner", "--state-dir of its own");
    await runner.proc.kill9();
    expect((await doctor(["--state-dir", runner.stateDir]))("state directory")).toMatchObject(good);
  });

  test("each finding is one line that begins with its mark and ends with its remedy", async () => {
    const { code, stdout } = await bed.run(["doctor", ...state, "--api-url", control.url, "--dialect", "nuon"], QUIET);
    expect(code).toBe(1);
    for (const line of stdout.trimEnd().split("\n")) expect(line).toMatch(/^(✓ [a-z]|[!✗] [a-z].+ → \S)/i);
    expect(stdout).toMatch(/^✗ control plane {2}.+ speaks native, not nuon → Leave --dialect out/m);
  });

  test("of the coordinator's own side: that it runs already", async () => {
    const sick = await doctor([
      "--coordinator",
      "--data-dir",
      bed.path("coordinator"),
      "--listen",
      `127.0.0.1:${control.port}`,
    ]);
    tells(sick("address"), "warning", "a coordinator answers there", "choose another --listen");
    tells(sick("data folder"), "warning", "in use by a coordinator", "--data-dir of its own");
  });
});

describe("`runner doctor --coordinator` finds what a coordinator would stumble over, and its remedy works", () => {
  test("a port that another program has: another one", async () => {
    const other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("") });
    const sick = await coordinatorSide("--listen", `127.0.0.1:${other.port}`);
    tells(sick("address"), "failed", "another program listens", "another address with --listen");
    expect((await coordinatorSide("--listen", `127.0.0.1:${freePort()}`))("address")).toMatchObject(good);
    await other.stop(true);
  });

  test("plain HTTP where others can reach it: --insecure, when it is meant", async () => {
    const open = ["--listen", `0.0.0.0:${freePort()}`];
    tells((await coordinatorSide(...open))("address"), "failed", "in clear", "--tls-cert and --tls-key");
    expect((await coordinatorSide(...open, "--insecure"))("address")).toMatchObject(good);
  });

  test("a data folder that cannot be one: another", async () => {
    writeFileSync(bed.path("nodir"), "");
    const sick = await doctor(["--coordinator", "--data-dir", bed.path("nodir", "below")]);
    tells(sick("data folder"), "failed", "nodir is a file", "with --data-dir");
    expect((await coordinatorSide())("data folder")).toMatchObject(good);
  });

  test("an admin key that others can read, or that is none: the command of the remedy", async () => {
    const file = bed.path("my.key");
    const check = async () => (await coordinatorSide("--admin-key-file", file))("admin key");
    const run = (remedy: string | null) =>
      Bun.spawnSync(["sh", "-c", (remedy ?? "false").split(";")[0] ?? ""]).exitCode;
    writeFileSync(file, "a-key-that-is-long-enough\n");
    chmodSync(file, 0o644);
    const open = await check();
    tells(open, "warning", "can be read by others (mode 0644)", `chmod 600 ${file}`);
    expect(run(open.remedy)).toBe(0);
    expect(await check()).toMatchObject(good);
    writeFileSync(file, "short\n");
    const short = await check();
    tells(short, "failed", "at least 16 characters", `rm ${file}`);
    expect(run(short.remedy)).toBe(0);
    expect(await check()).toMatchObject(good);
  });
});

describe.skipIf(openssl === null)("`runner doctor` and certificates (needs openssl)", () => {
  test("a key of another certificate, one that ends soon, one that is missing: the right files", async () => {
    const pki = makePki(bed.path("pki"));
    const [mine, other, old] = [pki.issue("mine"), pki.issue("another"), pki.issue("old", { days: 3 })];
    const check = async (...args: string[]) => (await coordinatorSide(...args))("certificate");
    tells(await check("--tls-cert", mine.cert), "failed", "--tls-key is missing", "needs both");
    const mixed = await check("--tls-cert", mine.cert, "--tls-key", other.key);
    tells(mixed, "failed", "do not belong together", "give its key");
    tells(await check("--tls-cert", old.cert, "--tls-key", old.key), "warning", "ends in", "Renew it");
    const over = pki.issue("over", { days: -1 });
    tells(await check("--tls-cert", over.cert, "--tls-key", over.key), "failed", "has expired on", "Renew it");
    expect(await check("--tls-cert", mine.cert, "--tls-key", mine.key)).toMatchObject(good);
  });

  test("a control plane with a private authority: --ca-file; with an old certificate: a new one", async () => {
    const pki = makePki(bed.path("pki2"));
    const tls = (name: string, days: number) => {
      const { cert, key } = pki.issue(name, { days });
      return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
    };
    const serve = (days: number) =>
      Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        tls: tls(`d${days}`, days),
        fetch: () => new Response("", { status: 404 }),
      });
    const [fresh, soon] = [serve(90), serve(3)];
    const args = (server: { readonly url: URL }) => ["--api-url", server.url.origin];
    const sick = await runnerSide(args(fresh));
    tells(sick("control plane"), "failed", "authority that is not trusted here", "with --ca-file");
    const fine = await runnerSide([...args(fresh), "--ca-file", pki.ca]);
    expect([fine("control plane"), fine("certificate")]).toMatchObject([good, good]);
    const ending = await runnerSide([...args(soon), "--ca-file", pki.ca]);
    tells(ending("certificate"), "warning", "ends in", "Renew it on the server");
    await Promise.all([fresh.stop(true), soon.stop(true)]);
    rmSync(bed.path("pki2"), { recursive: true });
  });
});
