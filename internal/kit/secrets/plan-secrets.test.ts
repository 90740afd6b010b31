import { expect, test } from "bun:test";
import { planSecrets } from "./plan-secrets.ts";

test("texts under names that look secret are hidden from logs, wherever they stand in the plan", () => {
  const plan = {
    registry: { username: "u", password: "p1", region: "eu" },
    credentials: [{ access_key_id: "p2", note: "public" }],
    env: { API_TOKEN: "p3", PRIVATE_KEY: "p4", privateKey: "p5", LEVEL: "debug", EMPTY_SECRET: "" },
    secrets: ["p6", null],
    password: { nested: "public too" },
    token_count: 12,
  };
  expect(planSecrets(plan, []).sort()).toEqual(["p1", "p2", "p3", "p4", "p5", "p6"]);
});

test("everything under a name that the job calls sensitive is hidden, numbers and nested values too", () => {
  const plan = { vars: { db: { host: "h", port: 5432, tags: ["t1", true] }, size: 3 } };
  expect(planSecrets(plan, ["db"]).sort()).toEqual(["5432", "h", "t1", "true"]);
});

test("of a list of names with values, those of the names that the job calls sensitive are hidden", () => {
  const values = [
    { name: "db.password", value: "v1", type: "string" },
    { name: "greeting", value: "v2", type: "string" },
  ];
  expect(planSecrets({ values }, ["db.password"])).toEqual(["v1"]);
});

test("without a guess only what the job calls sensitive is hidden", () => {
  expect(planSecrets({ token: "t1", colour: "c1" }, ["colour"], () => false)).toEqual(["c1"]);
});

test("a plan without secrets, or no plan at all, hides nothing", () => {
  expect(planSecrets({ path: "/tmp", steps: ["a"] }, [])).toEqual([]);
  expect(planSecrets(null, ["x"])).toEqual([]);
});
