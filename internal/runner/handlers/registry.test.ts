import { describe, expect, test } from "bun:test";
import { JOB_TYPES } from "../../protocol/enums.ts";
import type { Handler } from "../handler.ts";
import { registry } from "./registry.ts";

describe("the registry", () => {
  test("has a handler for every job type of the protocol and nothing else", () => {
    expect(Object.keys(registry).sort()).toEqual([...JOB_TYPES].sort());
  });
  test("gives each type a handler that names that type", () => {
    for (const type of JOB_TYPES) expect<readonly string[]>(registry[type].types).toContain(type);
  });
  test("has no handler that names a type it is not registered for", () => {
    const all: Readonly<Record<string, Handler>> = registry;
    for (const handler of new Set(Object.values(all))) {
      for (const type of handler.types) expect(all[type]).toBe(handler);
    }
  });
});
