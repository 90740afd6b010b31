import { describe, expect, test } from "bun:test";
import { outputsOfCommand, readState } from "./terraform-outputs.ts";
import { firstError } from "./terraform-run.ts";

describe("the reason of a failed terraform", () => {
  test("is its first error, framed or not", () => {
    expect(firstError("Plan: 1\n\nError: Error acquiring the state lock\n\nError message: x\nError: second\n")).toBe(
      "Error acquiring the state lock",
    );
    expect(firstError("╷\n│ Error: Invalid index\n│ \n╵\n")).toBe("Invalid index");
  });
  test("is left out when terraform said nothing, and cut when it said too much", () => {
    expect(firstError("killed")).toBeNull();
    expect(firstError(`Error: ${"x".repeat(1_000)}`)).toHaveLength(300);
  });
});

describe("terraform outputs", () => {
  const text = '{"a":{"sensitive":false,"type":"string","value":"x"},"b":{"sensitive":true,"value":{"k":[1]}}}';
  const both = { values: { a: "x", b: { k: [1] } }, sensitive: ["b"] };
  test("are the same from the command and from the shown state", () => {
    expect(outputsOfCommand(text)).toEqual(both);
    expect(readState(`{"format_version":"1.0","values":{"outputs":${text}}}`)).toEqual({ outputs: both, empty: false });
  });
  test("are none when the state is empty", () => {
    expect(outputsOfCommand("{}")).toEqual({ values: {}, sensitive: [] });
    expect(readState('{"format_version":"1.0"}')).toEqual({ outputs: { values: {}, sensitive: [] }, empty: true });
  });
  test("that cannot be read are an error without their text", () => {
    for (const bad of ["", '{"a": hunter2}', '{"a": "hunter2"}', "[]"]) {
      expect(() => outputsOfCommand(bad)).toThrow("the answer of terraform output -json cannot be read");
    }
  });
});
