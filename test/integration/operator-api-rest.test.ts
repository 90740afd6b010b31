import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { OPERATOR_ROUTES, openApiDocument } from "../../internal/coordinator/api/operator/openapi.ts";
import type { Coordinator } from "../../internal/coordinator/coordinator.ts";
import type { Claim } from "../../internal/protocol/native.ts";
import type { RunnerDoc, WorkspaceDoc } from "../../internal/protocol/operator.ts";
import { type CoordinatorBed, startCoordinatorBed } from "../lib/coordinator-bed.ts";
import { type Operator, packed, sha256 } from "../lib/operator.ts";
import { createRunnerPeer, type RunnerPeer } from "../lib/runner-peer.ts";

let bed: CoordinatorBed;
let coordinator: Coordinator;
let operator: Operator;
let peer: RunnerPeer;

beforeAll(async () => {
  bed = await startCoordinatorBed();
  ({ coordinator, operator } = bed);
  peer = await createRunnerPeer(coordinator.url, operator);
});
afterAll(() => bed.end());

const basic = (claim: Claim) =>
  `Basic ${Buffer.from(`${claim.credentials.username}:${claim.credentials.password}`).toString("base64")}`;

/** A terraform job on a workspace, claimed: what an execution can do is done with its claim. */
async function deploy(
  workspace: string,
  files: Readonly<Record<string, string>>,
): Promise<{ id: string; claim: Claim }> {
  const digest = await operator.upload(files);
  const job = { type: "terraform-deploy", operation: "plan", spec: { source: { path: "." }, workspace } };
  const id = await operator.submit(job, { sources: { "spec.source": { digest, path: "" } } });
  return { id, claim: await peer.claim(id) };
}

describe("runners", () => {
  test("are created with a token shown once, listed, rotated, drained and deleted", async () => {
    const made = (await operator.send("POST", "/runners", { name: "r1", labels: { site: "eu" } })).body;
    expect(Object.keys(made).sort()).toEqual(["id", "token"]);
    expect((await operator.send("POST", "/runners", { name: "r1" })).status).toBe(409);
    expect((await operator.send("POST", "/runners", { name: "a b" })).body.error).toContain("letters, digits");
    expect((await operator.send("POST", "/runners", { nam: "x" })).body.error).toContain('did you mean "name"?');
    const shown = await operator.get<RunnerDoc>(`/runners/${made.id}`);
    expect(shown).toMatchObject({
      name: "r1",
      labels: { site: "eu" },
      contact: "never",
      session: null,
      draining: false,
    });
    expect(JSON.stringify(await operator.get("/runners"))).not.toContain(made.token);
    const asRunner = (token: string) =>
      fetch(`${coordinator.url}/v1/runners/${made.id}/settings`, { headers: { authorization: `Bearer ${token}` } });
    expect((await asRunner(made.token)).status).toBe(200);
    const fresh = (await operator.send("POST", `/runners/${made.id}/rotate`)).body;
    expect(fresh.id).toBe(made.id);
    expect((await asRunner(made.token)).status).toBe(401);
    expect((await asRunner(fresh.token)).status).toBe(200);
    expect((await operator.send("POST", `/runners/${made.id}/drain`, {})).status).toBe(200);
    expect((await operator.get<RunnerDoc>(`/runners/${made.id}`)).draining).toBe(true);
    expect((await operator.send("DELETE", `/runners/${made.id}`)).status).toBe(200);
    expect((await operator.send("GET", `/runners/${made.id}`)).status).toBe(404);
    expect((await asRunner(fresh.token)).status).toBe(401);
  });

  test("with a session show what they announced", async () => {
    const shown = await operator.get<RunnerDoc>(`/runners/${peer.id}`);
    expect(shown).toMatchObject({
      contact: "online",
      session: { dialect: "native", mode: "all", version: "0.0.0-peer" },
    });
  });
});

describe("sources", () => {
  test("are refused until every blob is there, and stored once by digest", async () => {
    const { digest, manifest, blobs } = packed({ "a.tf": "# a", "b.tf": "# b" });
    const put = (path: string, body: string) => operator.raw(`/sources/${path}`, { method: "PUT", body });
    expect((await operator.raw(`/sources/${digest}`)).status).toBe(404);
    const early = await put(digest, manifest);
    expect(early.status).toBe(409);
    expect(await early.json()).toMatchObject({ kind: "conflict", missing: [...blobs.keys()] });
    for (const [blob, text] of blobs) {
      expect((await put(`blobs/${blob}`, `${text}!`)).status).toBe(400);
      expect((await put(`blobs/${blob}`, text)).status).toBe(200);
      expect((await put(`blobs/${blob}`, text)).status).toBe(200);
    }
    expect((await put(digest, `${manifest} `)).status).toBe(400);
    expect((await put(digest, manifest)).status).toBe(200);
    expect((await put(digest, manifest)).status).toBe(200);
    expect(await (await operator.raw(`/sources/${digest}`)).text()).toBe(manifest);
  });

  test("that are no manifests, or that nobody uploaded, are refused", async () => {
    const put = (text: string) => operator.raw(`/sources/${sha256(text)}`, { method: "PUT", body: text });
    for (const text of ["[]", "nothing", '{"schemaVersion":1}']) expect((await put(text)).status).toBe(400);
    const sources = { "spec.source": { digest: sha256("unknown"), path: "" } };
    const job = { type: "terraform-deploy", spec: { source: { path: "." }, workspace: "never-made" } };
    const refused = await operator.send("POST", "/jobs", { job, sources });
    expect(refused.body.error).toContain("has not been uploaded");
    expect((await operator.send("GET", "/workspaces/never-made")).status).toBe(404);
  });
});

describe("the registry", () => {
  test("gives an execution the sources of its own job, whole and in ranges, and nothing else", async () => {
    const { id, claim } = await deploy("registry", { "main.tf": "# registry\n" });
    const other = await operator.upload({ "main.tf": "# of another job" });
    const plan = JSON.parse(claim.plan ?? "{}");
    expect(plan.src_registry.LoginServer).toBe(coordinator.url);
    expect(plan.src_registry.OCIAuth).toEqual({
      Username: claim.credentials.username,
      Password: claim.credentials.password,
    });
    const v2 = (path: string, headers: Record<string, string> = {}, method = "GET") =>
      fetch(`${coordinator.url}/v2/${path}`, { method, headers: { authorization: basic(claim), ...headers } });
    const base = plan.src_registry.Repository;
    expect((await v2("")).status).toBe(200);
    const byTag = await v2(`${base}/manifests/${plan.src_tag}`);
    expect(byTag.headers.get("content-type")).toBe("application/vnd.oci.image.manifest.v1+json");
    const digest = byTag.headers.get("docker-content-digest") ?? "";
    const text = await byTag.text();
    expect(sha256(text)).toBe(digest);
    const head = await v2(`${base}/manifests/${digest}`, {}, "HEAD");
    expect([head.status, head.headers.get("content-length")]).toEqual([200, String(text.length)]);
    const blob = JSON.parse(text).layers[0].digest;
    expect(await (await v2(`${base}/blobs/${blob}`)).text()).toBe("# registry\n");
    const part = await v2(`${base}/blobs/${blob}`, { range: "bytes=2-4" });
    expect([part.status, part.headers.get("content-range"), await part.text()]).toEqual([206, "bytes 2-4/11", "reg"]);
    expect(await (await v2(`${base}/blobs/${blob}`, { range: "bytes=-3" })).text()).toBe("ry\n");
    expect((await v2(`${base}/blobs/${blob}`, { range: "bytes=50-" })).status).toBe(416);
    expect(await (await v2(`${base}/blobs/${sha256("{}")}`)).text()).toBe("{}");

    const hex = other.slice(7);
    for (const path of [`sources/${hex.slice(0, 16)}/manifests/${hex}`, `${base}/manifests/${hex}`, "x/tags/list"]) {
      const refused = await v2(path);
      expect(refused.status).toBe(404);
      expect((await refused.json()).errors[0].code).toMatch(/UNKNOWN$/);
    }
    expect((await v2(`${base}/blobs/${sha256("# of another job")}`)).status).toBe(404);
    await peer.finish(id, {});
    expect((await v2(`${base}/manifests/${digest}`)).status).toBe(401);
  });

  test("asks for credentials first, and takes no other key for them", async () => {
    for (const headers of [{}, { authorization: `Bearer ${coordinator.adminKey}` }, { authorization: "Basic eDp5" }]) {
      const answer = await fetch(`${coordinator.url}/v2/`, { headers: new Headers(headers) });
      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toStartWith("Basic");
    }
  });
});

describe("workspaces", () => {
  test("show lock and states; a lock is freed by force while its holder is alive, freely afterwards", async () => {
    const { id, claim } = await deploy("net", { "main.tf": "# net" });
    const workspaceId = (await operator.get<WorkspaceDoc>("/workspaces/net")).id;
    expect((await lockWith(claim, workspaceId)).status).toBe(200);
    const held = await operator.get<WorkspaceDoc>("/workspaces/net");
    expect(held.lock).toMatchObject({ ID: "lock-1", job_id: id, execution_id: claim.execution_id, runner_id: peer.id });
    expect(held).toMatchObject({ states: 0, serial: null });
    const refused = await operator.send("POST", "/workspaces/net/unlock", {});
    expect(refused.status).toBe(409);
    expect(refused.body.error).toContain(`job ${id}`);
    const wrong = await operator.send("POST", "/workspaces/net/unlock", { lock_id: "lock-2", force: true });
    expect(wrong.status).toBe(409);
    expect((await operator.send("POST", "/workspaces/net/unlock", { forced: true })).body.error).toContain('"force"');
    const freed = await operator.send("POST", "/workspaces/net/unlock", { force: true });
    expect(freed.body.released).toMatchObject({ ID: "lock-1" });
    expect((await operator.get<WorkspaceDoc>("/workspaces/net")).lock).toBeNull();
    expect((await lockWith(claim, workspaceId)).status).toBe(200);
    await peer.finish(id, { status: "failed", reason: "died" });
    expect((await operator.send("POST", "/workspaces/net/unlock", { lock_id: "lock-1" })).status).toBe(200);
  });

  test("keep every version of their state for download", async () => {
    const { id, claim } = await deploy("kept", { "main.tf": "# kept" });
    const workspaceId = (await operator.get<WorkspaceDoc>("/workspaces/kept")).id;
    expect((await lockWith(claim, workspaceId)).status).toBe(200);
    const states = [1, 2].map((serial) => JSON.stringify({ version: 4, serial, lineage: "l", outputs: {} }));
    for (const body of states) expect((await saveWith(claim, workspaceId, body)).status).toBe(200);
    await peer.finish(id, {});
    const listed = await operator.get<{ serial: number; bytes: number }[]>("/workspaces/kept/states");
    expect(listed.map((state) => state.serial)).toEqual([2, 1]);
    expect(await (await operator.raw("/workspaces/kept/states/1")).text()).toBe(states[0] ?? "");
    expect((await operator.raw("/workspaces/kept/states/7")).status).toBe(404);
    expect(await operator.get<WorkspaceDoc>("/workspaces/kept")).toMatchObject({ serial: 2, lineage: "l", states: 2 });
    expect((await operator.get<WorkspaceDoc[]>("/workspaces")).map((one) => one.name)).toContain("kept");
  });
});

const lockWith = (claim: Claim, workspaceId: string) =>
  fetch(`${coordinator.url}/v1/terraform-workspaces/${workspaceId}/lock`, {
    method: "POST",
    headers: { authorization: basic(claim), "content-type": "application/json" },
    body: JSON.stringify({ ID: "lock-1", Operation: "OperationTypePlan", Who: "test" }),
  });
const saveWith = (claim: Claim, workspaceId: string, body: string) =>
  fetch(`${coordinator.url}/v1/terraform-backend?workspace_id=${workspaceId}&ID=lock-1`, {
    method: "POST",
    headers: { authorization: basic(claim), "content-type": "application/json" },
    body,
  });

describe("the OpenAPI document", () => {
  test("lists every route that is served, and nothing else", async () => {
    const document = openApiDocument();
    const listed = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method} ${path}`),
    );
    expect(listed.sort()).toEqual(OPERATOR_ROUTES.map((route) => `${route.method} ${route.path}`).sort());
    for (const entry of listed) {
      const [method = "", path = ""] = entry.split(" ");
      const url = path
        .replace("{serial}", "1")
        .replace("{digest}", `sha256:${"0".repeat(64)}`)
        .replace(/\{\w+\}/g, "none");
      const answer = await operator.raw(url, { method: method.toUpperCase() });
      await answer.body?.cancel();
      if (answer.status === 404)
        expect(JSON.stringify(await operator.send(method.toUpperCase(), url))).not.toContain("no route");
    }
  });

  test("is the one in docs, which is generated", async () => {
    const file = await Bun.file(new URL("../../docs/openapi.json", import.meta.url)).json();
    expect(file).toEqual(JSON.parse(JSON.stringify(openApiDocument())));
  });
});
