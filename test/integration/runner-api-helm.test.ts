import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Bed, claim, openSession, type RunnerClient, startBed, submit } from "./runner-api-bed.ts";

/** Helm's release storage over the runner API (nuon-runner-api.md 2.16), as Helm's driver `nuon` uses it. */
let bed: Bed;
let owner: RunnerClient;
let stranger: RunnerClient;
const CHART = "hmctest0000000000000000001";
const RELEASES = `/v1/helm-releases/${CHART}/releases/web`;
const KEY = (revision: number) => `${RELEASES}/sh.helm.release.v1.demo.v${revision}`;

beforeAll(async () => {
  bed = await startBed();
  owner = await bed.runner("owner");
  stranger = await bed.runner("stranger");
  await working(owner);
});
afterAll(() => bed.stop());

/** A runner that works on a job with the chart. */
async function working(runner: RunnerClient) {
  const instance = `instance-of-${runner.id}`;
  await openSession(runner, instance);
  const plan = {
    install_id: "inl1",
    component_id: "cmp1",
    helm: { name: "demo", namespace: "web", helm_chart_id: CHART },
  };
  await submit(bed, { type: "helm-chart-deploy", operation: "apply", plan }, { runner: runner.id });
  const [claimed] = (await claim(runner, instance)).json.claims;
  return claimed as {
    execution_id: string;
    lease: { epoch: number };
    credentials: { username: string; password: string };
  };
}

const release = (revision: number, status: string) => ({
  name: "demo",
  info: { first_deployed: "2026-11-21T03:00:00.123456789Z", last_deployed: "", deleted: "", description: "", status },
  chart: { metadata: { name: "demo", version: "0.1.0" } },
  config: {},
  manifest: "---\nkind: <Ingress> & more\n",
  version: revision,
  namespace: "web",
  apply_method: "ssa",
  labels: { name: "demo", owner: "helm", status, version: String(revision) },
});

describe("helm releases", () => {
  test("are created with 201 and the row, read back byte for byte, listed, updated with their labels, deleted", async () => {
    const created = await owner.call("POST", KEY(1), release(1, "pending-install"));
    expect(created.status).toBe(201);
    expect(Object.keys(created.json).slice(0, 3)).toEqual(["HelmChartID", "HelmChart", "created_by_id"]);
    expect(created.json).toMatchObject({ Key: "sh.helm.release.v1.demo.v1", Status: "pending-install", Version: 1 });
    const stored = new TextDecoder().decode(Bun.gunzipSync(Buffer.from(created.json.Body, "base64")));
    expect(stored).toBe(JSON.stringify(release(1, "pending-install")));

    const updated = await owner.call("PUT", KEY(1), release(1, "deployed"));
    expect({ status: updated.status, text: updated.text }).toEqual({ status: 200, text: "null" });
    expect((await owner.call("GET", KEY(1))).text).toBe(JSON.stringify(release(1, "deployed")));
    expect((await owner.call("POST", KEY(2), release(2, "pending-upgrade"))).status).toBe(201);
    const listed = await owner.call("GET", RELEASES);
    expect(listed.json.map((one: { version: number }) => one.version)).toEqual([1, 2]);
    const deployed = await owner.call("GET", `${RELEASES}/query?name=demo&owner=helm&status=deployed`);
    expect(deployed.json).toEqual([release(1, "deployed")]);

    for (const revision of [1, 2]) expect((await owner.call("DELETE", KEY(revision))).text).toBe("null");
    expect((await owner.call("GET", RELEASES)).text).toBe("[]");
  });

  test("that are missing are 404 on read, update, delete and query; one that exists is 409", async () => {
    for (const [method, path] of [
      ["GET", KEY(9)],
      ["PUT", KEY(9)],
      ["DELETE", KEY(9)],
      ["GET", `${RELEASES}/query?name=other&owner=helm`],
    ] as const) {
      const answer = await owner.call(method, path, method === "PUT" ? release(9, "deployed") : undefined);
      expect({ method, status: answer.status, error: answer.json.error }).toEqual({
        method,
        status: 404,
        error: "release not found",
      });
    }
    expect((await owner.call("POST", KEY(3), release(3, "deployed"))).status).toBe(201);
    expect((await owner.call("POST", KEY(3), release(3, "deployed"))).status).toBe(409);
  });

  test("refuse another query key and a body that is no release with 400", async () => {
    expect((await owner.call("GET", `${RELEASES}/query?foo=1`)).status).toBe(400);
    expect((await owner.call("POST", KEY(4), new TextEncoder().encode("x"))).status).toBe(400);
    expect((await owner.call("POST", KEY(4), { name: 5 })).status).toBe(400);
  });

  test("of a chart that a runner never had a job with do not exist for it", async () => {
    for (const [method, path] of [
      ["GET", RELEASES],
      ["GET", `${RELEASES}/query?name=demo`],
      ["GET", KEY(3)],
      ["POST", KEY(5)],
      ["PUT", KEY(3)],
      ["DELETE", KEY(3)],
    ] as const) {
      const body = method === "POST" || method === "PUT" ? release(5, "deployed") : undefined;
      expect({ method, path, status: (await stranger.call(method, path, body)).status }).toEqual({
        method,
        path,
        status: 404,
      });
    }
  });

  test("are reached with the credentials of an execution, for the chart of its own job only", async () => {
    const other = await bed.runner("with-credentials");
    const instance = "instance-of-another";
    await openSession(other, instance);
    const plan = { helm: { name: "x", namespace: "web", helm_chart_id: "hmctest0000000000000000002" } };
    await submit(bed, { type: "helm-chart-deploy", operation: "apply", plan }, { runner: other.id });
    const [claimed] = (await claim(other, instance)).json.claims;
    const { username, password } = claimed.credentials;
    const basic = { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
    const list = (chart: string) => fetch(`${bed.url}/v1/helm-releases/${chart}/releases/web`, { headers: basic });
    expect((await list("hmctest0000000000000000002")).status).toBe(200);
    expect((await list(CHART)).status).toBe(404);
  });

  test("are written by the runner that works on the chart now, not by one that worked on it before", async () => {
    const next = await bed.runner("next");
    await working(next);
    expect((await owner.call("GET", KEY(3))).status).toBe(200);
    const late = await owner.call("PUT", KEY(3), release(3, "failed"));
    expect(late.status).toBe(409);
    expect(late.json.error).toContain("another runner works on this chart");
    expect((await next.call("GET", KEY(3))).json.info.status).toBe("deployed");
  });
});
