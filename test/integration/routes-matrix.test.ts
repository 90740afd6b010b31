import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type Credentials, ROLES, type Role, type RoleBed, startRoleBed } from "../lib/route-roles.ts";
import { servedRoutes } from "../lib/served-routes.ts";
import { MATRIX, PASSES, type Row, TARGETS } from "./routes-matrix.ts";
import { type Answer, send } from "./runner-api-bed.ts";

let here: RoleBed;
beforeAll(async () => {
  here = await startRoleBed();
});
afterAll(() => here.bed.stop());

const SHUT = [401, 403, 404];

function addressOf(row: Row, query: Readonly<Record<string, string>>): string {
  const params = row.route.includes(" /api/v1/") ? TARGETS : here.params;
  const fill = (text: string) =>
    text.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? here.params[name] ?? `no-${name}`));
  const path = fill((row.path ?? row.route.split(" ")[1] ?? "").replace("/*", "/nothing"));
  const asked = new URLSearchParams({
    ...Object.fromEntries(Object.entries(row.query ?? {}).map(([name, value]) => [name, fill(value)])),
    ...query,
  }).toString();
  return `${here.bed.url}${path}${asked === "" ? "" : `?${asked}`}`;
}

function knock(row: Row, who: Credentials): Promise<Answer> {
  const [word = ""] = row.route.split(" ");
  const method = word === "ALL" ? "GET" : word;
  const body = method === "GET" || method === "HEAD" ? undefined : (row.body ?? {});
  // Streams never end: their head is enough.
  return row.stream === true ? headOf(row, who) : send(addressOf(row, who.query), method, body, { ...who.headers });
}

async function headOf(row: Row, who: Credentials): Promise<Answer> {
  const stop = new AbortController();
  const answer = await fetch(addressOf(row, who.query), { headers: { ...who.headers }, signal: stop.signal });
  const text = answer.ok ? "" : await answer.text();
  stop.abort();
  return { status: answer.status, headers: answer.headers, text, json: undefined };
}

/**
 * Every row of every table, so that a request which was refused is seen to have changed nothing. But for when a runner
 * was last heard of: a runner that asks for what it may not have is heard of all the same.
 */
function everything(): string {
  const db = new Database(join(here.bed.dataDir, "coordinator.db"), { readonly: true });
  try {
    const tables = db
      .query<{ name: string }, []>("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
      .all();
    const rows = (name: string) => db.query<Record<string, unknown>, []>(`SELECT * FROM "${name}"`).all();
    const told = (row: Record<string, unknown>) => Object.values({ ...row, last_contact_at: null });
    return tables.map(({ name }) => JSON.stringify([name, rows(name).map(told)])).join("\n");
  } finally {
    db.close();
  }
}

test("every route that is served has a row in the table, and every row is served", () => {
  expect(MATRIX.map(({ route }) => route).sort()).toEqual([...servedRoutes()]);
});

describe("a role that a route is not for is refused with the right status, learns nothing and changes nothing", () => {
  for (const row of MATRIX) {
    const passes = PASSES[row.rule];
    const denied = ROLES.filter((role) => passes[role] !== "in");
    if (denied.length === 0) continue;
    test(`${row.route} (${row.rule})`, async () => {
      const before = everything();
      const seen: Partial<Record<Role, number>> = {};
      const wanted: Partial<Record<Role, number>> = {};
      for (const role of denied) {
        const answer = await knock(row, here.roles[role]);
        seen[role] = answer.status;
        wanted[role] = passes[role] === "unknown" ? 404 : 401;
        for (const value of [here.adminKey, here.owner.token, here.params.job_id ?? "", "owned"]) {
          // The id that was asked for may be repeated to who asked for it.
          const asked = decodeURIComponent(addressOf(row, here.roles[role].query)).includes(value);
          if (!asked) expect(answer.text).not.toContain(value);
        }
      }
      expect(seen).toEqual(wanted);
      expect(everything()).toBe(before);
    });
  }
});

describe("a role that a route is for gets past the door", () => {
  for (const row of MATRIX) {
    for (const role of ROLES.filter((one) => PASSES[row.rule][one] === "in")) {
      if (row.rule === "public" && role !== "nobody") continue;
      test(`${row.route}: ${role}`, async () => {
        const answer = await knock(row, here.roles[role]);
        expect({ status: answer.status, text: answer.status < 500 ? "" : answer.text }).toEqual({
          status: answer.status,
          text: "",
        });
        if (row.absent === true) expect(answer.status).toBe(404);
        else expect(SHUT).not.toContain(answer.status);
      });
    }
  }
});
