import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Bed, claim, openSession, type RunnerClient, startBed, submitTerraform } from "./runner-api-bed.ts";

/** Terraform workspaces as rows (nuon-runner-api.md 2.17). */
let bed: Bed;
let owner: RunnerClient;
let stranger: RunnerClient;
beforeAll(async () => {
  bed = await startBed();
  owner = await bed.runner("owner");
  stranger = await bed.runner("stranger");
});
afterAll(() => bed.stop());

const LIST = "/v1/terraform-workspaces";
const create = (runner: RunnerClient, id: string) =>
  runner.call("POST", LIST, { owner_id: id, owner_type: "installs" });

describe("a workspace", () => {
  test("is created once per owner with 201, and read by the runner that made it only", async () => {
    const made = await create(owner, "inl1");
    expect(made.status).toBe(201);
    expect(Object.keys(made.json)).toEqual([
      "id",
      "created_by_id",
      "created_at",
      "updated_at",
      "owner_id",
      "owner_type",
      "lock_history",
    ]);
    expect(made.json).toMatchObject({ owner_id: "inl1", owner_type: "installs", lock_history: null });
    const again = await create(owner, "inl1");
    expect({ status: again.status, text: again.json.description }).toEqual({ status: 400, text: "duplicate key" });
    expect((await create(stranger, "inl1")).status).toBe(201);
    expect((await owner.call("POST", LIST, {})).status).toBe(400);

    const path = `${LIST}/${made.json.id}`;
    expect((await owner.call("GET", path)).json).toMatchObject({ owner_id: "inl1", lock: null });
    expect((await stranger.call("GET", path)).status).toBe(404);
    expect((await stranger.call("DELETE", path)).status).toBe(404);
    expect((await stranger.call("DELETE", `${path}/states`)).status).toBe(404);
  });

  test("keeps a state; it is deleted only when it has none and no lock", async () => {
    const { id } = (await create(owner, "inl2")).json;
    const state = { version: 4, serial: 1, lineage: "l", terraform_version: "1.11.4", outputs: {}, resources: [] };
    const backend = `/v1/terraform-backend?workspace_id=${id}`;
    expect((await owner.call("POST", backend, state)).status).toBe(200);
    expect((await owner.call("GET", backend)).json).toEqual(state);
    const refused = await owner.call("DELETE", `${LIST}/${id}`);
    expect({ status: refused.status, error: refused.json.error }).toEqual({
      status: 409,
      error: "unable to delete workspace: the workspace has a state; delete the state first",
    });
    expect((await owner.call("DELETE", backend)).status).toBe(200);
    const gone = await owner.call("DELETE", `${LIST}/${id}`);
    expect({ status: gone.status, json: gone.json }).toEqual({ status: 200, json: { lock_history: null } });
    expect((await owner.call("GET", `${LIST}/${id}`)).status).toBe(404);
  });

  test("forgets what state-json stored, and nothing else, when its states are deleted", async () => {
    const { id } = (await create(owner, "inl3")).json;
    const document = Buffer.from('{"values":{}}').toString("base64");
    expect((await owner.call("POST", `${LIST}/${id}/state-json`, document)).status).toBe(200);
    expect((await bed.admin("GET", `/workspaces/${id}/state-json`)).json).toEqual({ values: {} });
    const deleted = await owner.call("DELETE", `${LIST}/${id}/states`);
    expect(deleted.json).toEqual({ message: "terraform state json deleted" });
    expect((await bed.admin("GET", `/workspaces/${id}/state-json`)).status).toBe(404);
  });

  test("of a job is listed for the runner that works on it, and is not its to delete", async () => {
    const worker = await bed.runner("worker");
    await openSession(worker, "worker-1");
    await submitTerraform(bed, worker, "network");
    await claim(worker, "worker-1");
    const [only, ...more] = (await worker.call("GET", LIST)).json;
    expect(more).toEqual([]);
    expect(only).toMatchObject({ owner_id: "network", owner_type: "workspaces" });
    const refused = await worker.call("DELETE", `${LIST}/${only.id}`);
    expect(refused.status).toBe(409);
    expect(refused.json.error).toContain("only the runner that made a workspace may delete it");
  });
});

test("the list comes in pages, told by the paging headers", async () => {
  const many = await bed.runner("many");
  for (let n = 0; n < 12; n++) await create(many, `inl${n}`);
  const first = await many.call("GET", LIST);
  expect(first.json).toHaveLength(10);
  expect(first.headers.get("x-nuon-page-next")).toBe("true");
  const second = await many.call("GET", `${LIST}?page=2`);
  const owners = [...first.json, ...second.json].map((one: { owner_id: string }) => one.owner_id);
  expect(owners.sort()).toEqual(Array.from({ length: 12 }, (_, n) => `inl${n}`).sort());
  expect(second.headers.get("x-nuon-page-next")).toBe("false");
  expect(second.headers.get("x-nuon-page-offset")).toBe("10");
  expect((await many.call("GET", `${LIST}?limit=abc`)).json.description).toBe("invalid limit");
});
