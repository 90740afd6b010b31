import { expect, test } from "bun:test";
import { FOLDER_NAME, newId } from "./ids.ts";
import { claim } from "./native.ts";

test.each(["../../precious", "..", ".hidden", "a/b", "a\\b", "", "a b", "a\0b", `a${"b".repeat(128)}`])(
  "an execution called %j is begun by no runner",
  (id) => {
    expect(FOLDER_NAME.test(id)).toBe(false);
    expect(claim.shape.execution_id.safeParse(id).success).toBe(false);
  },
);

test("our own ids and Nuon's name a folder", () => {
  for (const id of [newId("execution"), "runkl71qc7l3l5bud0p4dyktp8"]) {
    expect(claim.shape.execution_id.safeParse(id).success).toBe(true);
  }
});
