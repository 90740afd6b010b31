import { expect, test } from "bun:test";
import { testStore } from "../test-store.ts";
import { ensureWorkspace, exactWorkspace } from "./workspaces.ts";

test("an exact plan's workspace is made under the id it names, and found again", () => {
  const { store } = testStore();
  expect(exactWorkspace(store, "tfw1")).toMatchObject({ id: "tfw1", name: "tfw1" });
  expect(exactWorkspace(store, "tfw1").id).toBe("tfw1");
});

test("a name in place of the id is refused, and the id named", () => {
  const { store } = testStore();
  const { id } = ensureWorkspace(store, "network");
  expect(() => exactWorkspace(store, "network")).toThrow("is the name of a workspace, not its id");
  expect(exactWorkspace(store, id).name).toBe("network");
});
