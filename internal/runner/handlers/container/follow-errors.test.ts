import { afterEach, describe, expect, test } from "bun:test";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JobLog, LogFields } from "../../handler.ts";
import { followErrors } from "./follow-errors.ts";

const folder = mkdtempSync(join(tmpdir(), "errors-"));
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
});
const file = join(folder, "stderr");

function logOf(): { log: JobLog; lines: string[]; fields: (LogFields | undefined)[] } {
  const lines: string[] = [];
  const fields: (LogFields | undefined)[] = [];
  const say = (text: string, more?: LogFields) => {
    lines.push(text);
    fields.push(more);
  };
  return { log: { debug: say, info: say, warn: say, error: say }, lines, fields };
}

describe("a container's stderr", () => {
  test("comes line by line while it is written, marked as what it is", async () => {
    const { log, lines, fields } = logOf();
    const followed = followErrors(file, log);
    appendFileSync(file, "one\ntw");
    while (lines.length === 0) await Bun.sleep(10);
    expect(lines).toEqual(["one"]);
    appendFileSync(file, "o\nthree");
    followed.stop();
    expect(lines).toEqual(["one", "two", "three"]);
    expect(fields).toEqual(lines.map(() => ({ "log.iostream": "stderr" })));
  });

  test("goes on where an earlier process of the runner had come to", () => {
    writeFileSync(file, "told\n");
    followErrors(file, logOf().log).stop();
    appendFileSync(file, "new\n");
    const { log, lines } = logOf();
    followErrors(file, log).stop();
    expect(lines).toEqual(["new"]);
  });

  test("comes whole when a line is longer than what is read at once, and no character is cut", () => {
    const text = `a${"ß€😀".repeat(20_000)}`;
    writeFileSync(file, text);
    const { log, lines } = logOf();
    followErrors(file, log).stop();
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.join("")).toBe(text);
  });

  test("that is broken text ends all the same", () => {
    writeFileSync(file, Buffer.from([0x61, 0xf0, 0x9f]));
    const { log, lines } = logOf();
    followErrors(file, log).stop();
    expect(lines).toEqual(["a", "\uFFFD"]);
  });
});
