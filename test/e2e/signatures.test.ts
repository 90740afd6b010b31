import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { addRunner, type Control, startControl } from "../faults/lib/control.ts";
import { action, terraform, terraformTest } from "../faults/lib/jobs.ts";
import { type Bed, makeBed, until } from "../faults/lib/processes.ts";
import { startNuonServer } from "../lib/nuon-server.ts";

let bed: Bed;
const closing: (() => unknown)[] = [];
beforeEach(() => {
  bed = makeBed();
});
afterEach(async () => {
  await bed.end();
  for (const close of closing.splice(0)) await close();
});

/** A signing key and the file that trusts it. */
async function makeKey(name: string): Promise<{ key: string; trusted: string; kid: string }> {
  const key = bed.path(`${name}.jwk`);
  const { code, stdout } = await bed.run(["keys", "create", key]);
  expect(code).toBe(0);
  const trusted = bed.path(`${name}.jwks`);
  writeFileSync(trusted, stdout, { mode: 0o600 });
  return { key, trusted, kid: JSON.parse(stdout).keys[0].kid };
}

/** An action that leaves a trace when it is run. */
function sample(name = "act") {
  const made = action(bed, { name });
  made.release();
  return made;
}

type Claim = { plan: string | null; signature?: string; [key: string]: unknown };

/** A proxy that changes what a runner is given. */
function tamperer(control: Control, change: (claim: Claim) => Claim): string {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request, self) {
      self.timeout(request, 0);
      const url = new URL(request.url);
      const body = await request.arrayBuffer();
      const headers = new Headers(request.headers);
      headers.delete("host");
      headers.set("accept-encoding", "identity");
      const answer = await fetch(control.url + url.pathname + url.search, {
        method: request.method,
        headers,
        body: body.byteLength > 0 ? body : null,
        signal: request.signal,
      }).catch(() => null);
      // The coordinator ends while the runner still asks.
      if (answer === null) return new Response(null, { status: 502 });
      if (!url.pathname.endsWith("/claims") || !answer.ok) return answer;
      const given = (await answer.json()) as { claims: Claim[] };
      return Response.json({ ...given, claims: given.claims.map(change) });
    },
  });
  closing.push(() => server.stop(true));
  return `http://127.0.0.1:${server.port}`;
}

describe("keys", () => {
  test("are for their owner alone, never written over, and shown without their private half", async () => {
    const { key, kid } = await makeKey("a");
    expect(statSync(key).mode & 0o777).toBe(0o600);
    const before = readFileSync(key, "utf8");
    expect((await bed.run(["keys", "create", key])).code).toBe(2);
    expect(readFileSync(key, "utf8")).toBe(before);
    const shown = await bed.run(["keys", "show", key]);
    expect(JSON.parse(shown.stdout).keys).toMatchObject([{ kid, alg: "EdDSA" }]);
    expect(shown.stdout).not.toContain(JSON.parse(before).d);
    const control = await startControl(bed, { flags: ["--signing-key-file", key] });
    const headers = { Authorization: `Bearer ${control.admin().RUNNER_ADMIN_KEY}` };
    const jwks = await fetch(`${control.url}/api/v1/jwks`, { headers });
    expect(await jwks.json()).toEqual(JSON.parse(shown.stdout));
  }, 60_000);
});

describe("a runner that trusts a key", () => {
  test("works what it signed, and the audit trail names it; what nobody signed is refused", async () => {
    const { key, trusted, kid } = await makeKey("a");
    const signing = ["--signing-key-file", key];
    const control = await startControl(bed, { env: {}, flags: signing });
    const runner = await addRunner(bed, control, { flags: ["--trust-keys", trusted] });
    const one = sample();
    expect((await control.ended(await control.submit(one.file))).status).toBe("finished");
    const last = readFileSync(`${runner.stateDir}/audit.jsonl`, "utf8").trim().split("\n").at(-1) ?? "";
    expect(JSON.parse(last)).toMatchObject({ event: "job", outcome: "finished", signer: kid });
    const shown = await bed.run(["audit", "show", "--state-dir", runner.stateDir]);
    expect(shown.stdout).toContain(`finished, signed by ${kid}`);
  }, 60_000);

  test("refuses what nobody signed before any step: exit code 4", async () => {
    const { trusted } = await makeKey("a");
    const control = await startControl(bed);
    await addRunner(bed, control, { flags: ["--trust-keys", trusted] });
    const one = sample();
    writeFileSync(one.file, `${readFileSync(one.file, "utf8")}\nretry: { attempts: 3 }\n`);
    const done = await bed.run(["job", "submit", "-f", one.file, "--wait", "--json"], control.admin());
    expect(done.code).toBe(4);
    expect(JSON.parse(done.stdout).reason).toContain("takes only signed work: it is not signed");
    expect((await control.show(JSON.parse(done.stdout).job)).executions).toHaveLength(1);
    expect(one.traces()).toEqual([]);
  }, 60_000);

  terraformTest(
    "works a whole change that is signed",
    async () => {
      const { key, trusted } = await makeKey("a");
      const control = await startControl(bed, { flags: ["--signing-key-file", key] });
      await addRunner(bed, control, { flags: ["--trust-keys", trusted] });
      expect((await control.ended(await control.submit(terraform(bed, {}).file))).status).toBe("finished");
    },
    60_000,
  );

  test("refuses a plan that was changed on the way, a signature taken away, and one of another job", async () => {
    const { key, trusted } = await makeKey("a");
    const control = await startControl(bed, { flags: ["--signing-key-file", key] });
    let change = (claim: Claim): Claim => claim;
    const url = tamperer(control, (claim) => change(claim));
    await addRunner(bed, control, { url, flags: ["--trust-keys", trusted] });
    const reasonOf = async (how: (claim: Claim) => Claim) => {
      change = how;
      const one = sample();
      const before = one.traces().length;
      const done = await control.ended(await control.submit(one.file));
      expect({ status: done.status, traces: one.traces().length }).toEqual({ status: "failed", traces: before });
      return done.reason;
    };
    const evil = (plan: string | null) => plan?.replace("echo begin", "echo stolen") ?? null;
    expect(await reasonOf((claim) => ({ ...claim, plan: evil(claim.plan) }))).toContain("its plan is not the one");
    expect(await reasonOf(({ signature: _, ...claim }) => claim)).toContain("it is not signed");
    let kept = "";
    change = (claim) => {
      kept = claim.signature ?? "";
      return claim;
    };
    const honest = sample();
    expect((await control.ended(await control.submit(honest.file))).status).toBe("finished");
    expect(await reasonOf((claim) => ({ ...claim, signature: kept }))).toContain("that of another job");
    const [, body = "", end = ""] = kept.split(".");
    const none = Buffer.from('{"alg":"none","typ":"runner-work+jws"}').toString("base64url");
    expect(await reasonOf((claim) => ({ ...claim, signature: `${none}.${body}.${end}` }))).toContain(
      "not one over work",
    );
  }, 60_000);

  test("takes a new key without a restart, and the old one no more once it is gone from the file", async () => {
    const old = await makeKey("old");
    const next = await makeKey("next");
    const control = await startControl(bed, { flags: ["--signing-key-file", old.key] });
    await addRunner(bed, control, { flags: ["--trust-keys", old.trusted] });
    const run = async () => control.ended(await control.submit(sample().file));
    expect((await run()).status).toBe("finished");
    writeFileSync(old.trusted, readFileSync(next.trusted));
    const refused = await run();
    expect(refused.status).toBe("failed");
    expect(refused.reason).toContain(`the key "${old.kid}", which is not trusted here`);
    const both = await bed.run(["keys", "show", old.key, next.key]);
    writeFileSync(old.trusted, both.stdout);
    expect((await run()).status).toBe("finished");
  }, 60_000);

  test("goes on with work that had begun when it was killed", async () => {
    const { key, trusted } = await makeKey("a");
    const control = await startControl(bed, { flags: ["--signing-key-file", key] });
    const runner = await addRunner(bed, control, { flags: ["--trust-keys", trusted] });
    const one = action(bed, { wait: true });
    const id = await control.submit(one.file);
    await until("the work has begun", () => one.traces().includes("begin"));
    await runner.restart();
    one.release();
    expect((await control.ended(id)).status).toBe("finished");
  }, 60_000);

  test("takes a job without a plan up again when it was killed just before its report", async () => {
    const { key, trusted } = await makeKey("a");
    const control = await startControl(bed, { flags: ["--signing-key-file", key] });
    const flags = ["--trust-keys", trusted];
    const runner = await addRunner(bed, control, { flags, env: { RUNNER_FAILPOINT: "runner.report" } });
    writeFileSync(bed.path("noop.yaml"), "type: noop\nname: planless\n");
    const id = await control.submit(bed.path("noop.yaml"));
    expect(await runner.proc.exited).toBe(137);
    runner.proc = runner.start();
    const done = await control.ended(id);
    expect([done.status, done.reason]).toEqual(["finished", ""]);
  }, 60_000);

  test("refuses all work of a Nuon server, which signs nothing, and says why", async () => {
    const { trusted } = await makeKey("a");
    const server = await startNuonServer();
    closing.push(() => server.stop());
    server.addJob({ type: "noop", group: "operations" });
    bed.spawn(["run", "--dialect", "nuon", "--state-dir", bed.path("state"), "--trust-keys", trusted], {
      RUNNER_API_URL: server.url,
      RUNNER_ID: server.runnerId,
      RUNNER_API_TOKEN: server.token,
    });
    await until("the job has ended", () => server.executions[0]?.status === "failed", 30_000);
    const trail = bed.path("state", "audit.jsonl");
    await until("the trail tells it", () => existsSync(trail) && readFileSync(trail, "utf8").includes('"event":"job"'));
    expect(readFileSync(trail, "utf8")).toContain("a control plane of the dialect nuon signs nothing");
  }, 60_000);

  test.each([
    ["is not there", null],
    ["holds no key", '{"keys":[]}'],
  ])(
    "does not start when the file of keys %s: exit code 2",
    async (_what, text) => {
      const control = await startControl(bed);
      if (text !== null) writeFileSync(bed.path("trusted.jwks"), text, { mode: 0o600 });
      const runner = await addRunner(bed, control, { flags: ["--trust-keys", bed.path("trusted.jwks")] });
      expect(await runner.proc.exited).toBe(2);
    },
    60_000,
  );
});
