import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { createClient } from "./client.ts";

function clientOf(answer: Response) {
  const refused: string[] = [];
  const client = createClient({ key: "key", onRefused: () => refused.push("401"), fetch: async () => answer });
  return { client, refused };
}

describe("calls of the page", () => {
  test("a key that is refused signs the person out and shows the server's own words", async () => {
    const body = { error: "unknown key", kind: "refused", remedy: "sign in again" };
    const { client, refused } = clientOf(Response.json(body, { status: 401 }));
    const answer = await client.get("/runners", z.array(z.string()));
    expect(refused).toEqual(["401"]);
    expect(answer.ok ? null : answer.error).toMatchObject({
      kind: "refused",
      message: "unknown key",
      remedy: "sign in again",
    });
  });

  test("an answer of an unknown form is named, not shown half", async () => {
    const { client, refused } = clientOf(Response.json([{ id: 1 }]));
    const answer = await client.get("/runners", z.array(z.object({ id: z.string() })));
    expect(refused).toEqual([]);
    expect(answer.ok ? "" : `${answer.error.kind}: ${answer.error.message}`).toMatch(/^protocol: .*0\.id/);
  });

  test("an error page of a proxy counts as unreachable, so that it is tried again", async () => {
    const { client } = clientOf(new Response("<html>bad gateway</html>", { status: 502 }));
    const answer = await client.get("/runners", z.array(z.string()));
    expect(answer.ok ? "" : answer.error.kind).toBe("unreachable");
  });
});
