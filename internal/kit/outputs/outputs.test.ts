import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RunnerError } from "../../protocol/errors.ts";
import { parseOutputs } from "./parse-outputs.ts";
import { OUTPUTS_LIMIT_BYTES, readOutputs } from "./read-outputs.ts";

const parse = (text: string) => parseOutputs(new TextEncoder().encode(text));
const folder = mkdtempSync(join(tmpdir(), "outputs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("outputs of a step", () => {
  test("are key=value lines, with everything after the first = kept", () => {
    expect(parse("answer=42\nurl=http://x/?a=b\nempty=\n")).toEqual({ answer: "42", url: "http://x/?a=b", empty: "" });
  });
  test("are JSON objects, one a line, that keep their types", () => {
    expect(parse('{"answer": 42, "nested": {"a": [1, 2]}}\n{"ok":true}')).toEqual({
      answer: 42,
      nested: { a: [1, 2] },
      ok: true,
    });
  });
  test("may span lines between key<<END and END, whatever stands in them", () => {
    expect(parse("cert<<EOF\nline=1\n\n{not json\n  EOF\nEOF\nafter=1\n")).toEqual({
      cert: "line=1\n\n{not json\n  EOF",
      after: "1",
    });
    expect(parse("none<<E\nE")).toEqual({ none: "" });
  });
  test("treat << after the first = as part of the value", () => {
    expect(parse("cmd=cat <<EOF")).toEqual({ cmd: "cat <<EOF" });
  });
  test("come out the same with Windows line ends", () => {
    expect(parse('a=1\r\n\r\nb<<E\r\nx\r\ny\r\nE\r\n{"c":1}\r\n')).toEqual({ a: "1", b: "x\ny", c: 1 });
  });
  test("ignore blank lines and let a later line win", () => {
    expect(parse("\n  \na=1\n\na=2\n")).toEqual({ a: "2" });
  });
  test("keep a key named __proto__ as a key", () => {
    const values = parse('__proto__=x\n{"constructor":1}');
    expect(Object.keys(values)).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(values)).toBe(Object.prototype);
  });

  const bad = {
    "a=1\n[1]\n": "line 2",
    "\n\nnonsense\n": "line 3",
    "=1": "line 1",
    '{"a":': "line 1",
    "a=1\nb<<E\nc=1\n": "line 2",
  };
  for (const [text, part] of Object.entries(bad)) {
    test(`name the line that cannot be read: ${JSON.stringify(text)}`, () => {
      expect(() => parse(text)).toThrow(RunnerError);
      expect(() => parse(text)).toThrow(part);
    });
  }
  test("never show the bad line itself, which may be a secret", () => {
    for (const text of ["hunter2", '{"p": hunter2}', "[hunter2]"]) {
      try {
        parse(text);
        throw new Error("it was accepted");
      } catch (error) {
        expect(String(error)).not.toContain("hunter2");
        expect(String(error)).toContain("line 1");
      }
    }
  });
  test("that are not UTF-8 are refused with a remedy", () => {
    expect(() => parseOutputs(new Uint8Array([0x61, 0x3d, 0xff, 0xfe]))).toThrow("not valid UTF-8");
  });
});

describe("the outputs file", () => {
  test("may be missing: the step has no outputs then", () => {
    expect(readOutputs(join(folder, "missing"))).toEqual({});
  });
  test("is read up to 1 MiB and refused beyond it", () => {
    const path = join(folder, "big");
    writeFileSync(path, `a=${"x".repeat(OUTPUTS_LIMIT_BYTES - 2)}`);
    expect(Object.keys(readOutputs(path))).toEqual(["a"]);
    writeFileSync(path, `a=${"x".repeat(OUTPUTS_LIMIT_BYTES - 1)}`);
    expect(() => readOutputs(path)).toThrow("larger than 1048576 bytes");
  });
  test("that was replaced by a named pipe is refused instead of waited for", () => {
    const path = join(folder, "pipe");
    expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0);
    expect(() => readOutputs(path)).toThrow("no longer a plain file");
  });
});
