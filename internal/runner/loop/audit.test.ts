import { afterEach, describe, expect, test } from "bun:test";
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { auditFile, verifyAudit } from "../../kit/audit/trail-file.ts";
import { silentLog } from "../../kit/base/system-log.ts";
import { type AuditEvent, openAudit } from "./audit.ts";
import { removeFolders, tempFolder } from "./test-bed.ts";

afterEach(removeFolders);

const program = (name: string): AuditEvent => ({
  event: "program",
  execution: "e1",
  job: "j1",
  program: name,
  args: ["-x", "two words"],
  env: ["PATH"],
});

function trail(stateDir = tempFolder(), more: { readonly maxBytes?: number } = {}) {
  const warned: string[] = [];
  const log = { ...silentLog, warn: (text: string) => void warned.push(text) };
  return { stateDir, warned, file: auditFile(stateDir), audit: openAudit({ stateDir, log, now: () => 0, ...more }) };
}

describe("the audit trail", () => {
  test("is for its owner alone, and a line that was changed, taken out or added is found", () => {
    const { file, audit } = trail();
    for (const name of ["one", "two", "three"]) audit.append(program(name));
    audit.close();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(verifyAudit(file)).toMatchObject({ ok: true, lines: 3, before: "0".repeat(64) });
    const whole = readFileSync(file, "utf8");
    const lines = whole.split("\n");
    const because = (text: string) => {
      writeFileSync(file, text);
      return verifyAudit(file);
    };
    expect(because(whole.replace('"two"', '"ten"'))).toMatchObject({ ok: false, line: 2, why: "the line was changed" });
    expect(because([lines[0], lines[2], ""].join("\n"))).toMatchObject({ ok: false, line: 2 });
    expect(because([lines[0], lines[0], ...lines.slice(1)].join("\n"))).toMatchObject({ ok: false, line: 2 });
    expect(because(`${whole}{}\n`)).toMatchObject({ ok: false, line: 4 });
    expect(because(whole)).toMatchObject({ ok: true });
  });

  test("goes on over a restart, over half a line that a crash left, and over files put aside", () => {
    const first = trail(undefined, { maxBytes: 400 });
    first.audit.append(program("one"));
    first.audit.close();
    appendFileSync(first.file, '{"at":"half a li');
    const second = trail(first.stateDir, { maxBytes: 400 });
    second.audit.append(program("two"));
    second.audit.close();
    const before = verifyAudit(first.file);
    expect(before).toMatchObject({ ok: true, lines: 2 });
    const third = trail(first.stateDir, { maxBytes: 400 });
    third.audit.append(program("three"));
    third.audit.append(program("four"));
    third.audit.close();
    const aside = verifyAudit(join(first.stateDir, "audit.1.jsonl"));
    const now = verifyAudit(first.file);
    if (!aside.ok || !now.ok) throw new Error("a chain is broken");
    expect(now.before).toBe(aside.last);
    expect(aside.lines + now.lines).toBe(4);
  });

  test("that cannot be written stops nothing: what is missing is counted and told by the next line", () => {
    const { file, audit, warned } = trail();
    mkdirSync(file);
    audit.append(program("one"));
    audit.append(program("two"));
    expect(audit.missing()).toBe(2);
    expect(warned).toHaveLength(1);
    rmdirSync(file);
    audit.append(program("three"));
    expect(existsSync(file)).toBe(true);
    expect(readFileSync(file, "utf8")).toContain('"missing_before":2');
    expect(verifyAudit(file)).toMatchObject({ ok: true, lines: 1 });
  });
});
