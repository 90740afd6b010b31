import { describe, expect, test } from "bun:test";
import { hashToken } from "./credentials.ts";
import { TOKEN } from "./exchanged-tokens.ts";
import type { Store } from "./store.ts";
import { newRunner, testStore } from "./test-store.ts";
import { distrustIdentity, type Issue, identitiesOf, issueToken, trustIdentity } from "./transitions/identities.ts";
import { deleteRunner, formerRunners, rotateToken } from "./transitions/runners.ts";

const ROLE = "aws:arn:aws:iam::123456789012:role/runner";

function bed() {
  const { store, advance } = testStore();
  const runnerId = newRunner(store, "one");
  trustIdentity(store, { runnerId, identity: ROLE, by: "admin" });
  const identityId = identitiesOf(store, runnerId)[0]?.id ?? "";
  const issue = (over: Partial<Issue> = {}): string => {
    const to = { runnerId, identityId, subject: "arn", address: "192.0.2.1", proofHash: null, lifeMs: null };
    return issueToken(store, { ...to, ...over })?.token ?? "none";
  };
  /** As a request with this token, and the second that follows. */
  const used = (token: string): boolean => {
    const opens = store.runners.byTokenHash(hashToken(token))?.row.id === runnerId;
    store.runners.flush();
    return opens;
  };
  return { store, advance, runnerId, identityId, issue, used };
}

const count = (store: Store): number =>
  store.db.prepare<{ n: number }, []>("SELECT count(*) AS n FROM runner_tokens").get()?.n ?? 0;

describe("a token that was got by an identity", () => {
  test("goes on until the next one was used, and half an hour longer", () => {
    const { issue, used, advance } = bed();
    const first = issue();
    expect(used(first)).toBe(true);
    advance(3_600_000);
    const second = issue();
    // The answer with the second one was lost: the first goes on for as long as it is used.
    advance(TOKEN.grace + 1);
    expect(used(first)).toBe(true);
    expect(used(second)).toBe(true);
    advance(TOKEN.grace - 1_000);
    expect(used(first)).toBe(true);
    advance(2_000);
    expect([used(first), used(second)]).toEqual([false, true]);
  });

  test("that is used late does not end one that was given after it", () => {
    const { issue, used, advance } = bed();
    const older = issue();
    advance(1_000);
    const newer = issue();
    expect(used(newer)).toBe(true);
    expect(used(older)).toBe(true);
    advance(TOKEN.grace + 1);
    expect([used(older), used(newer)]).toEqual([false, true]);
  });

  test("that nobody uses ends: at all after a day, any more after thirty", () => {
    const { issue, used, advance } = bed();
    const token = issue();
    advance(TOKEN.unused - 1);
    expect(used(token)).toBe(true);
    for (let days = 0; days < 90; days += 29) {
      advance(29 * 86_400_000);
      expect(used(token)).toBe(true);
    }
    advance(TOKEN.idle);
    expect(used(token)).toBe(false);
    const never = issue();
    advance(TOKEN.unused);
    expect(used(never)).toBe(false);
  });

  test("ends after the life that the coordinator gives it, used or not", () => {
    const { issue, used, advance } = bed();
    const token = issue({ lifeMs: 3_600_000 });
    advance(3_599_000);
    expect(used(token)).toBe(true);
    advance(1_000);
    expect(used(token)).toBe(false);
  });

  test("is not heaped up by who asks and never uses one", () => {
    const { store, issue, used, advance } = bed();
    const tokens = Array.from({ length: 10 }, () => issue());
    expect(tokens.filter((token) => used(token)).length).toBeLessThanOrEqual(TOKEN.waiting);
    advance(TOKEN.spent);
    issue();
    expect(count(store)).toBeLessThanOrEqual(TOKEN.waiting + 1);
  });

  test("is not heaped up by who asks without end and uses each", () => {
    const { store, issue, used, advance } = bed();
    const first = issue();
    for (let n = 0; n < TOKEN.former * 2; n += 1) {
      expect(used(issue())).toBe(true);
      advance(TOKEN.grace + 60_000);
    }
    expect(count(store)).toBeLessThanOrEqual(TOKEN.former + 5);
    expect(formerRunners(store, hashToken(first))).toEqual([]);
  });

  test("is forgotten a month after its end; until then the holder of a lock may save its state", () => {
    const { store, issue, used, advance, runnerId } = bed();
    const token = issue({ lifeMs: 2_000 });
    expect(used(token)).toBe(true);
    advance(2_000);
    expect(used(token)).toBe(false);
    expect(formerRunners(store, hashToken(token))).toEqual([runnerId]);
    advance(TOKEN.kept);
    issue();
    expect([count(store), formerRunners(store, hashToken(token))]).toEqual([1, []]);
  });

  for (const [what, end] of [
    [
      "its identity is trusted no more",
      (b: ReturnType<typeof bed>) => distrustIdentity(b.store, b.runnerId, b.identityId, "admin"),
    ],
    ["an operator rotates the token", (b: ReturnType<typeof bed>) => rotateToken(b.store, b.runnerId, "admin")],
    ["the runner is deleted", (b: ReturnType<typeof bed>) => deleteRunner(b.store, b.runnerId, "admin")],
  ] as const) {
    test(`ends at once when ${what}`, () => {
      const here = bed();
      const token = here.issue();
      expect(here.used(token)).toBe(true);
      end(here);
      expect(here.used(token)).toBe(false);
    });
  }

  test("is not given twice for one proof, nor for an identity that is not trusted any more", () => {
    const { store, issue, runnerId, identityId } = bed();
    expect(issue({ proofHash: "one" })).not.toBe("none");
    expect(issue({ proofHash: "one" })).toBe("none");
    expect(issue({ proofHash: "two" })).not.toBe("none");
    distrustIdentity(store, runnerId, identityId, "admin");
    expect(issue({ proofHash: "three" })).toBe("none");
  });

  test("stands nowhere in the database in clear", () => {
    const { store, issue } = bed();
    const token = issue();
    const rows = store.db.prepare<Record<string, unknown>, []>("SELECT * FROM runner_tokens").all();
    expect(JSON.stringify(rows)).not.toContain(token);
  });
});

test("the identity that a runner trusts already is not added again", () => {
  const { store, runnerId, identityId } = bed();
  const again = trustIdentity(store, { runnerId, identity: ROLE, by: "admin" });
  expect(again).toMatchObject({ ok: true, value: { id: identityId } });
  expect(trustIdentity(store, { runnerId: "nobody", identity: ROLE, by: "admin" })).toBeNull();
  expect(trustIdentity(store, { runnerId, identity: "aws:*", by: "admin" })).toMatchObject({ ok: false });
  for (let more = 1; more < 20; more += 1) trustIdentity(store, { runnerId, identity: `${ROLE}${more}`, by: "admin" });
  expect(trustIdentity(store, { runnerId, identity: `${ROLE}x`, by: "admin" })).toMatchObject({ ok: false });
  expect(identitiesOf(store, runnerId).length).toBe(20);
});
