import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type RawAnswer, rawRequest } from "../lib/raw-http.ts";
import { type RoleBed, startRoleBed } from "../lib/route-roles.ts";
import { MATRIX, TARGETS } from "./routes-matrix.ts";

let here: RoleBed;
beforeAll(async () => {
  here = await startRoleBed();
});
afterAll(() => here.bed.stop());

const MUTATING = MATRIX.filter(({ route }) => /^(POST|PUT|PATCH) /.test(route));
/** Its key is in its body, which is small. */
const DOOR_IN_BODY = "POST /v1/runners/:runner_id/token-exchange";
const PATHS = [...new Set(MATRIX.map(({ route }) => route.split(" ")[1] ?? ""))].map((path) =>
  path.replace("/*", "/x"),
);
const filled = (path: string) =>
  path.replace(/:(\w+)/g, (_, name: string) =>
    encodeURIComponent((path.startsWith("/api/") ? TARGETS[name] : here.params[name]) ?? "x"),
  );
const head = (line: string, headers: Readonly<Record<string, string>>) =>
  `${line} HTTP/1.1\r\nHost: x\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")}\r\n`;

const statusOf = (answer: RawAnswer | string) => (typeof answer === "string" ? answer : answer.status);

describe("a request whose body never comes is refused by its head alone", () => {
  for (const { route } of MUTATING) {
    test(route, async () => {
      const [method = "", path = ""] = route.split(" ");
      const headers = {
        "Content-Type": "application/json",
        "Content-Length": "1000000",
        Authorization: "Bearer wrong",
      };
      const answer = await rawRequest(here.bed.url, head(`${method} ${filled(path)}?workspace_id=x`, headers));
      expect(statusOf(answer)).toBe(route === DOOR_IN_BODY ? 413 : 401);
    });
  }
});

describe("no path", () => {
  test("answers another site's page, or lets it ask", async () => {
    for (const path of PATHS) {
      for (const method of ["OPTIONS", "GET"]) {
        const answer = await fetch(`${here.bed.url}${filled(path)}`, {
          method,
          headers: {
            origin: "https://evil.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization",
          },
        });
        await answer.body?.cancel();
        const allowed = [...answer.headers.keys()].filter((name) => name.startsWith("access-control-"));
        expect({ method, path, allowed }).toEqual({ method, path, allowed: [] });
        expect(answer.status).toBeLessThan(500);
      }
    }
  });

  test("gives by HEAD what GET would refuse", async () => {
    for (const path of PATHS) {
      const url = `${here.bed.url}${filled(path)}`;
      const [got, heads] = await Promise.all([fetch(url), fetch(url, { method: "HEAD" })]);
      await got.body?.cancel();
      expect({ path, status: heads.status }).toEqual({ path, status: got.status });
      expect(await heads.text()).toBe("");
    }
  });

  test("echoes a TRACE, switches to a WebSocket, or takes a method of its own", async () => {
    for (const path of PATHS) {
      for (const method of ["TRACE", "CONNECT", "PROPFIND", "BREW"]) {
        const answer = await rawRequest(here.bed.url, head(`${method} ${filled(path)}`, { "X-Secret": "canary-77" }));
        if (typeof answer === "string") continue;
        const { status } = answer;
        expect({ method, path, fine: status >= 400 && status < 500 }).toEqual({ method, path, fine: true });
        expect(answer.bytes.toString("latin1")).not.toContain("canary-77");
      }
      const upgrade = {
        Authorization: `Bearer ${here.adminKey}`,
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      };
      const answer = await rawRequest(here.bed.url, head(`GET ${filled(path)}`, upgrade));
      expect({ path, fine: typeof answer === "object" && answer.status !== 101 && answer.status < 500 }).toEqual({
        path,
        fine: true,
      });
    }
  });
});

describe("credentials that ended", () => {
  test("still save and free the lock they hold, and no other", async () => {
    const { bed, former, owner, params } = here;
    const workspace = params.workspace_id ?? "";
    const lock = { ID: "lock-of-the-owner", Operation: "OperationTypeApply", Who: "x", Version: "1.11.4", Created: "" };
    const state = { version: 4, terraform_version: "1.11.4", serial: 1, lineage: "l", outputs: {}, resources: [] };
    const as = (token: string) => ({ authorization: `Bearer ${token}`, "content-type": "application/json" });
    const post = (path: string, token: string, body: unknown) =>
      fetch(`${bed.url}${path}`, { method: "POST", headers: as(token), body: JSON.stringify(body) });
    const save = (token: string, id: string) =>
      post(`/v1/terraform-backend?workspace_id=${workspace}&ID=${id}`, token, state);
    expect((await post(`/v1/terraform-workspaces/${workspace}/lock`, owner.token, lock)).status).toBe(200);
    expect((await save(former, "another-lock")).status).toBe(401);
    expect((await save("wrong", lock.ID)).status).toBe(401);
    expect((await save(former, lock.ID)).status).toBe(200);
    const free = (token: string, id: string) =>
      post(`/v1/terraform-workspaces/${workspace}/unlock`, token, { ...lock, ID: id });
    expect((await free(former, "another-lock")).status).toBe(401);
    expect((await free(former, lock.ID)).status).toBe(200);
    expect((await save(former, lock.ID)).status).toBe(401);
  });

  test("of two spellings of a key only the exact one opens", async () => {
    const { adminKey, bed } = here;
    const near = [adminKey.slice(0, -1), `${adminKey}x`, adminKey.toUpperCase(), `${adminKey.slice(0, -1)}\u0100`, " "];
    for (const key of near.filter((one) => one !== adminKey)) {
      const headers = { authorization: `Bearer ${encodeURIComponent(key)}` };
      expect((await fetch(`${bed.url}/api/v1/jobs`, { headers })).status).toBe(401);
    }
    expect((await fetch(`${bed.url}/api/v1/jobs`, { headers: { authorization: `Bearer ${adminKey}` } })).status).toBe(
      200,
    );
  });
});
