import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { openDb } from "./db.ts";
import { createGroupCommit } from "./group-commit.ts";

function counter() {
  const db = openDb(":memory:");
  const put = (key: string) =>
    db.prepare<unknown, [string, string]>("INSERT INTO settings (key, value) VALUES (?, ?)").run(key, "x");
  const keys = () => db.all(db.kysely.selectFrom("settings").select("key").orderBy("key")).map((row) => row.key);
  return { db, put, keys };
}

test("writes of one turn are committed together; one that throws takes only its own back", async () => {
  const { db, put, keys } = counter();
  const effects: string[] = [];
  const write = (key: string, fails = false) =>
    db.group(() => {
      put(key);
      db.afterCommit(() => effects.push(key));
      if (fails) throw new Error("refused");
      return key;
    });
  const results = await Promise.allSettled([write("a"), write("b", true), write("c")]);
  expect(results.map((result) => result.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(keys()).toEqual(["a", "c"]);
  expect(effects).toEqual(["a", "c"]);
});

test("a transaction that throws leaves nothing, and the next one works", () => {
  const { db, put, keys } = counter();
  expect(() =>
    db.transaction(() => {
      put("a");
      throw new Error("refused");
    }),
  ).toThrow("refused");
  db.transaction(() => db.transaction(() => put("b")));
  expect(keys()).toEqual(["b"]);
});

test("a full commit waits for the disk exactly when something is not on it yet", () => {
  const raw = new Database(":memory:");
  raw.exec("CREATE TABLE t (a TEXT)");
  let syncs = 0;
  const { transaction } = createGroupCommit(raw, () => syncs++);
  const put = () => raw.run("INSERT INTO t VALUES ('x')");
  transaction(put, "full");
  expect(syncs).toBe(1);
  transaction(() => raw.query("SELECT * FROM t").all(), "full");
  expect(syncs).toBe(1);
  transaction(put, "normal");
  expect(syncs).toBe(1);
  transaction(() => null, "full");
  expect(syncs).toBe(2);
});

test("a full disk refuses the writes of its turn with its own words, and the next ones work when there is room", async () => {
  const { db, put, keys } = counter();
  const pages = db.prepare<{ page_count: number }, []>("PRAGMA page_count").get()?.page_count ?? 0;
  db.prepare(`PRAGMA max_page_count = ${pages}`).get();
  const results = await Promise.allSettled([db.group(() => put("x".repeat(1_000_000))), db.group(() => put("small"))]);
  const reasons = results.flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : []));
  expect(reasons[0]).toContain("disk is full");
  db.prepare("PRAGMA max_page_count = 1000000").get();
  await db.group(() => put("later"), "full");
  expect(keys()).toContain("later");
  expect(keys().some((key) => key.startsWith("xx"))).toBe(false);
});
