import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EXIT, RunnerError } from "../../internal/protocol/errors.ts";
import type { JobShow } from "../../internal/protocol/operator.ts";
import { writeOutputs } from "./clear-outputs.ts";
import { slotsFor } from "./concurrency.ts";
import { stateBase } from "./folders.ts";
import { printError } from "./print-error.ts";
import { createProgress } from "./progress.ts";
import { providerMirror } from "./provider-mirror.ts";
import { resolveSecrets } from "./resolve-secrets.ts";
import { exitOf, seconds } from "./summary.ts";
import { facts, table } from "./table.ts";
import { terminalText } from "./terminal-text.ts";

const folder = mkdtempSync(join(tmpdir(), "runner-cmd-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("secret references", () => {
  const from = { folder, env: { TOKEN: "abc" } };

  test("are read here and named as sensitive, wherever an env or a var may hold one", () => {
    writeFileSync(join(folder, "secret"), "from file\n");
    const { document, sensitive } = resolveSecrets(
      {
        type: "x",
        spec: {
          env: { A: { env: "TOKEN" }, B: "plain" },
          vars: { c: { file: "secret" }, d: { env: "TOKEN", other: 1 } },
          steps: [{ name: "s", env: { E: { env: "TOKEN" } } }],
        },
      },
      from,
    );
    expect(document.spec).toEqual({
      env: { A: "abc", B: "plain" },
      vars: { c: "from file", d: { env: "TOKEN", other: 1 } },
      steps: [{ name: "s", env: { E: "abc" } }],
    });
    expect(sensitive).toEqual(["A", "c", "E"]);
  });

  test("are read anywhere in the cluster of a job, where names of keys hide nothing else", () => {
    const cluster = {
      kubeconfig: { env: "TOKEN" },
      eks: { keys: { secret_access_key: { env: "TOKEN" } } },
      gke: { credentials: { env: "TOKEN" } },
    };
    const { document, sensitive } = resolveSecrets({ type: "x", spec: { cluster } }, from);
    expect(document.spec).toEqual({
      cluster: { kubeconfig: "abc", eks: { keys: { secret_access_key: "abc" } }, gke: { credentials: "abc" } },
    });
    expect(sensitive).toEqual([]);
  });

  test("takes a provider mirror as an https address or a folder that is there", () => {
    expect(providerMirror(null, "/")).toBeNull();
    expect(providerMirror("https://mirror.example/tf", "/")).toBe("https://mirror.example/tf");
    expect(providerMirror("tmp", "/")).toBe("/tmp");
    expect(() => providerMirror("http://mirror.example", "/")).toThrow("https address or a folder");
    expect(() => providerMirror("nowhere", "/tmp/")).toThrow("there is no folder /tmp/nowhere");
  });

  test("resolves the credentials of a source, wherever the source stands", () => {
    const source = { git: { url: "https://e.com/r", credentials: { password: { env: "TOKEN" } } } };
    const spec = {
      source,
      steps: [{ name: "a", source: { oci: { ref: "r", credentials: { password: { env: "TOKEN" } } } } }],
    };
    const { document, sensitive } = resolveSecrets({ spec }, { folder: ".", env: { TOKEN: "t0k3n" } });
    expect(JSON.stringify(document).match(/"password":"t0k3n"/g)).toHaveLength(2);
    expect(sensitive).toEqual(["password"]);
  });

  test("may stand anywhere in the spec of a plug-in, where the nearest key becomes secret", () => {
    const spec = { env: "eu", login: { token: { env: "TOKEN" } }, keys: ["plain", { env: "TOKEN" }] };
    const from = { folder: ".", env: { TOKEN: "t0k3n" } };
    const { document, sensitive } = resolveSecrets({ type: "x-greet", spec }, from);
    expect(document.spec).toEqual({ env: "eu", login: { token: "t0k3n" }, keys: ["plain", "t0k3n"] });
    expect(sensitive).toEqual(["token", "keys"]);
  });

  test("that lead nowhere are refused with their place", () => {
    const missing = (ref: object) => () => resolveSecrets({ spec: { env: { A: ref } } }, from);
    expect(missing({ env: "NOPE" })).toThrow("spec.env.A: environment variable NOPE is not set");
    expect(missing({ file: "nope" })).toThrow(/^spec\.env\.A: secret file .*nope cannot be read/);
  });
});

describe("output of a job on a terminal", () => {
  test.each([
    ["colour \x1b[31mred\x1b[0m", "colour \x1b[31mred\x1b[0m\x1b[0m", "colour red"],
    ["title \x1b]0;owned\x07 end", "title  end", "title  end"],
    ["clear \x1b[2J\x1b[1;1H end", "clear  end", "clear  end"],
    ["bell \x07 back\x08space", "bell  backspace", "bell  backspace"],
    ["progress 1%\rprogress 2%", "progress 1%\nprogress 2%", "progress 1%\nprogress 2%"],
    ["dcs \x1bP1$r\x1b\\ end", "dcs  end", "dcs  end"],
  ])("%j keeps its colours and loses what controls the terminal", (raw, coloured, plain) => {
    expect(terminalText(raw, true)).toBe(coloured);
    expect(terminalText(raw, false)).toBe(plain);
  });
});

describe("what a runner said, between the columns of a table,", () => {
  test("moves no cursor, writes no clipboard and begins no line of its own", () => {
    const said = "low\x1b]52;c;cm0gLXJm\x07 on \x9b2Jdisk\n2026-01-01  approved  admin\x1b";
    expect(table(["why"], [[said]])).toBe("WHY\nlow on 2Jdisk 2026-01-01  approved  admin");
    expect(facts({ "a\nb": "one\x1b[31m\r\ntwo" })).toBe("a b  one\r\ntwo");
  });
});

describe("errors", () => {
  const shown = (error: unknown, format: "text" | "json") => {
    const lines: string[] = [];
    return { code: printError(error, { format, say: (text) => lines.push(text) }), lines };
  };

  test("say what happened and what to do about it", () => {
    const error = new RunnerError("refused", "the key is wrong", { remedy: "Check it." });
    expect(shown(error, "text")).toEqual({ code: EXIT.refused, lines: ["runner: the key is wrong", "  → Check it."] });
    const json = JSON.parse(shown(error, "json").lines[0] ?? "");
    expect(json).toMatchObject({ text: "the key is wrong", kind: "refused", remedy: "Check it.", exit_code: 3 });
  });

  test("of our own are exit code 70 with a hint, not a stack trace", () => {
    const { code, lines } = shown(new TypeError("x is undefined"), "text");
    expect(code).toBe(70);
    expect(lines[0]).toStartWith("runner: unexpected: x is undefined");
    expect(lines.join("\n").split("\n").length).toBe(2);
  });
});

describe("the end of a job", () => {
  test.each([
    ["finished", 0],
    ["failed", 1],
    ["not-attempted", 1],
    ["cancelled", 5],
    ["timed-out", 6],
    ["approval-denied", 5],
    ["approval-expired", 6],
  ] as const)("%s is exit code %d", (status, code) => expect(exitOf(status)).toBe(code));

  test("times read well", () => {
    expect([0, 40, 940, 9_949, 9_950, 61_400, 3_600_000].map(seconds)).toEqual([
      "0 ms",
      "40 ms",
      "0.9 s",
      "9.9 s",
      "10 s",
      "1 min 1 s",
      "60 min 0 s",
    ]);
  });
});

describe("progress", () => {
  const step = (name: string, status: "in-progress" | "finished" | "error", exit_code: number | null) => ({
    name,
    status,
    exit_code,
    started_at: "2026-01-01T00:00:00Z",
    duration_ms: 1_200,
  });
  const job = (status: JobShow["status"], steps: JobShow["steps"], reason = "") =>
    ({ id: "job1", name: "hello", status, steps, reason }) as JobShow;

  test("without a terminal is plain lines: output, and each step once when it ended", () => {
    const lines: string[] = [];
    const progress = createProgress({ print: (t) => lines.push(t), draw: null, colour: false, columns: () => 80 });
    progress.job(job("in-progress", [step("init", "in-progress", null)]));
    progress.job(job("in-progress", [step("init", "finished", 0), step("apply", "in-progress", null)]));
    progress.job(job("failed", [step("init", "finished", 0), step("apply", "error", 3)]));
    progress.end();
    expect(lines).toEqual(["✓ init finished in 1.2 s", "✗ apply failed in 1.2 s, exit code 3"]);
  });

  test("without a terminal says when it waits, and for what", () => {
    const lines: string[] = [];
    const progress = createProgress({ print: (t) => lines.push(t), draw: null, colour: false, columns: () => 80 });
    progress.job(job("queued", [], "no_runner_online"));
    progress.job(job("queued", [], "no_runner_online"));
    progress.job(job("approval-awaiting", []));
    progress.end();
    expect(lines).toEqual([
      "hello: waiting, no_runner_online",
      "hello: waiting for approval (runner job approve job1)",
    ]);
  });
});

describe("outputs file", () => {
  test("is for this user alone, also when it was there with other rights", () => {
    const path = join(folder, "out.json");
    writeFileSync(path, "old", { mode: 0o644 });
    writeOutputs(path, "json", { a: 1, b: "two" });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, "utf8")).toBe('{"a":1,"b":"two"}\n');
  });

  test("as env is read back by a shell, whatever the value", () => {
    const path = join(folder, "out.env");
    writeOutputs(path, "env", { plain: "x", "odd-name": "it's $HOME\nand `more`", list: [1, "2"] });
    const shell = `. "${path}"; printf '%s|%s|%s' "$plain" "$odd_name" "$list"`;
    expect(Bun.spawnSync(["sh", "-eu", "-c", shell]).stdout.toString()).toBe(`x|it's $HOME\nand \`more\`|[1,"2"]`);
  });
});

test("concurrency is what was asked for the group, else for all, else the default, in the groups of the mode", () => {
  expect(slotsFor("org", { build: 7, all: 3 })).toEqual({ sync: 3, build: 7, operations: 3 });
  expect(slotsFor("mng", null)).toEqual({ management: 1 });
});

test("state lies in /var/lib/runner as root, else in the user's state folder", () => {
  expect(stateBase({ uid: 0, env: {} })).toBe("/var/lib/runner");
  expect(stateBase({ uid: 1, env: { HOME: "/home/a" } })).toBe("/home/a/.local/state/runner");
  expect(stateBase({ uid: 1, env: { HOME: "/home/a", XDG_STATE_HOME: "/s" } })).toBe("/s/runner");
});
