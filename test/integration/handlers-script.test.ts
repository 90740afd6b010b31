import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { identify } from "../../internal/kit/exec/index.ts";
import type { ScriptPlan } from "../../internal/protocol/plans-ours.ts";
import { script as handler } from "../../internal/runner/handlers/script/script.ts";
import { createHarness, folderOf } from "../lib/handler-harness.ts";
import { startPackageRegistry, wheelFolder } from "../lib/package-registry.ts";

const disposals: (() => void)[] = [];
const dispose = () => {
  for (const one of disposals.splice(0)) one();
};
afterEach(dispose);
const folder = (files: Record<string, string>) => {
  const path = folderOf(files);
  disposals.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
};

interface Input extends Partial<ScriptPlan> {
  readonly files?: Record<string, string>;
  readonly cacheDir?: string;
  readonly sensitive?: readonly string[];
}

/** A script job; `files` become its source. */
function job({ files, cacheDir, sensitive, ...plan }: Input) {
  const registry = { RegistryType: "private_oci", Repository: "sources/x", LoginServer: "127.0.0.1:1" };
  const harness = createHarness({
    handler,
    plan: { language: "shell", ...(files ? { source: { registry, tag: "t", path: "." } } : {}), ...plan },
    ...(files ? { sources: { t: folder(files) } } : {}),
    ...(cacheDir === undefined ? {} : { cacheDir }),
    ...(sensitive ? { sensitive } : {}),
  });
  disposals.push(harness.dispose);
  return harness;
}

const python = Bun.which("python3");
const node = Bun.which("node");
const OUTPUT = {
  shell:
    'echo "who=$WHO" >> "$RUNNER_OUTPUT"; echo "args=$*" >> "$RUNNER_OUTPUT"; echo "in=$(cat)" >> "$RUNNER_OUTPUT"',
  python: `
import os, sys
with open(os.environ["RUNNER_OUTPUT"], "a") as out:
    out.write("who=%s\\nargs=%s\\nin=%s\\n" % (os.environ["WHO"], " ".join(sys.argv[1:]), sys.stdin.read()))`,
  node: `
import { appendFileSync, readFileSync } from "node:fs";
const { WHO, RUNNER_OUTPUT } = process.env;
appendFileSync(RUNNER_OUTPUT, \`who=\${WHO}\\nargs=\${process.argv.slice(2).join(" ")}\\nin=\${readFileSync(0, "utf8")}\\n\`);`,
  typescript: `
import { appendFileSync } from "node:fs";
const { WHO = "", RUNNER_OUTPUT = "" }: Record<string, string | undefined> = process.env;
const args: string[] = process.argv.slice(2);
appendFileSync(RUNNER_OUTPUT, \`who=\${WHO}\\nargs=\${args.join(" ")}\\nin=\${await Bun.stdin.text()}\\n\`);`,
} as const;

describe("a script gets its arguments, stdin and environment, and its outputs are the job's", () => {
  const present = { shell: true, python: python !== null, node: node !== null, typescript: true };
  for (const language of ["shell", "python", "node", "typescript"] as const) {
    test.skipIf(!present[language])(`in ${language}`, async () => {
      const run = job({
        language,
        code: OUTPUT[language],
        args: ["--all", "two words"],
        stdin: "from stdin",
        env_vars: { WHO: "world" },
      });
      const { status, outputs, reason } = await run.run();
      expect([status, reason]).toEqual(["finished", ""]);
      expect(outputs).toEqual({ who: "world", args: "--all two words", in: "from stdin" });
      expect(run.steps).toEqual([{ name: "script", id: undefined, status: "finished", code: 0 }]);
    });
  }

  test.skipIf(node === null)("a node script with require is CommonJS, one with await a module (node)", async () => {
    const common = job({ language: "node", code: 'console.log(require("node:path").sep, __dirname.length > 0)' });
    await common.run();
    expect(common.log()).toContain("/ true");
    const module = job({ language: "node", code: 'console.log(await Promise.resolve("awaited"))' });
    await module.run();
    expect(module.log()).toContain("awaited");
  });
});

describe("a shell script", () => {
  test("stops at the first failing command and at an unset variable", async () => {
    const failing = job({ code: "false\necho never" });
    expect((await failing.run()).reason).toBe("the script exited with 1");
    expect(failing.log()).not.toContain("never");
    const unset = job({ code: "echo $NOT_SET_ANYWHERE\necho never" });
    expect((await unset.run()).status).toBe("failed");
  });

  test("with a line of its own is started by that program", async () => {
    const run = job({ code: "#!/bin/cat\njust text" });
    await run.run();
    expect(run.log()).toContain("just text");
  });
});

describe("a script of a source", () => {
  test("runs in the source's folder and finds what lies beside it", async () => {
    const files = {
      "lib/main.ts": 'import { word } from "./word.ts"; console.log(word);',
      "lib/word.ts": 'export const word = "beside";',
    };
    const run = job({ language: "bun", file: "lib/main.ts", files });
    expect((await run.run()).status).toBe("finished");
    expect(run.log()).toContain("beside");
  });

  test("given as text imports from the source too", async () => {
    const files = { "word.ts": 'export const word = "imported";' };
    const run = job({ language: "bun", code: 'import { word } from "./word.ts"; console.log(word);', files });
    await run.run();
    expect(run.log()).toContain("imported");
  });

  const refused: [string, string, string][] = [
    ["that is missing", "nowhere.sh", "has no file nowhere.sh"],
    ["outside of it", "../../etc/passwd", "leads out of its source"],
    ["that is a folder", "lib", "has no file lib"],
  ];
  for (const [what, file, reason] of refused) {
    test(`is refused when it names a file ${what}`, async () => {
      const run = job({ file, files: { "lib/a": "" } });
      expect((await run.run()).reason).toContain(reason);
      expect(run.runs).toEqual([]);
    });
  }
});

describe("a plan that no job file could make", () => {
  const plans: [string, Partial<ScriptPlan>, string][] = [
    ["neither code nor file", {}, "exactly one of code and file"],
    ["both", { code: "x", file: "y" }, "exactly one of code and file"],
    ["a file without a source", { file: "y" }, "names a file but no source"],
    [
      "an option for a package",
      { code: "1", language: "python", packages: ["--index-url=http://x"] },
      "not one package",
    ],
    ["a package without a version", { code: "1", language: "node", packages: ["left-pad"] }, "not one package"],
    ["a range for a version", { code: "1", language: "node", packages: ["left-pad@^1.0.0"] }, "not one package"],
    ["packages for a shell", { code: "1", packages: ["left-pad@1.0.0"] }, "a script in shell has no packages"],
  ];
  for (const [what, plan, reason] of plans) {
    test(`with ${what} is refused before anything is run`, async () => {
      const run = job(plan);
      expect((await run.run()).reason).toContain(reason);
      expect(run.runs).toEqual([]);
    });
  }

  test("with a key this runner does not know is refused", async () => {
    const { reason } = await job({ code: "1", ...{ priviledged: true } }).run();
    expect(reason).toContain("the plan cannot be read");
  });
});

test("a script whose interpreter is missing says which and what to do", async () => {
  const run = job({ language: "powershell", code: "1", env_vars: { PATH: "/nonexistent" } });
  const { reason, remedy } = await run.run();
  expect(reason).toBe("there is no PowerShell on this machine: neither pwsh nor powershell is on the PATH");
  expect(remedy).toContain("Install PowerShell");
});

test("values of variables that are called secret, or look it, are registered before anything runs", async () => {
  const run = job({ code: "true", env_vars: { MY_TOKEN: "t0k3n", SHOE: "size", PLAIN: "plain" }, sensitive: ["SHOE"] });
  await run.run();
  expect([...run.secrets].sort()).toEqual(["size", "t0k3n"]);
});

test("no plan can point the outputs elsewhere", async () => {
  const run = job({ code: 'echo "a=1" >> "$RUNNER_OUTPUT"', env_vars: { RUNNER_OUTPUT: "/tmp/elsewhere" } });
  expect((await run.run()).outputs).toEqual({ a: "1" });
});

describe("a script never gets a package that its job does not name", () => {
  test("in bun, which could fetch the newest one by itself", async () => {
    const run = job({ language: "bun", code: 'import greet from "greet"; console.log(greet("x"));' });
    expect((await run.run()).status).toBe("failed");
    expect(run.log()).toContain("Cannot find package");
  });
});

describe("packages", () => {
  const registry = startPackageRegistry();
  const wheels = python === null ? "" : wheelFolder(python);
  const cacheDir = mkdtempSync(join(tmpdir(), "packages-"));
  afterAll(() => {
    registry.stop();
    rmSync(cacheDir, { recursive: true, force: true });
    if (wheels) rmSync(wheels, { recursive: true, force: true });
  });
  const npmEnv = { NPM_CONFIG_REGISTRY: registry.url };
  const greet = {
    language: "bun",
    code: 'import greet from "greet"; console.log(greet("bun"))',
    packages: ["greet@1.0.0"],
  } as const;
  const inBun = (at: string): Input => ({
    ...greet,
    packages: [...greet.packages],
    env_vars: npmEnv,
    cacheDir: join(cacheDir, at),
  });
  const kinds = {
    node: { present: node !== null, env: npmEnv, name: "greet@1.0.0", code: 'console.log(require("greet")("node"))' },
    bun: {
      present: true,
      env: npmEnv,
      name: "greet@1.0.0",
      code: 'import greet from "greet"; console.log(greet("bun"))',
    },
    python: {
      present: python !== null,
      env: { PIP_NO_INDEX: "1", PIP_FIND_LINKS: wheels },
      name: "greet==1.0.0",
      code: 'import greet; print(greet.greet("python"))',
    },
  } as const;

  for (const language of ["node", "bun", "python"] as const) {
    const { present, env, name, code } = kinds[language];
    const input = { language, code, packages: [name], env_vars: env, cacheDir };

    test.skipIf(!present)(
      `of ${language} are installed once and shared by later jobs (${language})`,
      async () => {
        const first = job(input);
        const second = job(input);
        for (const run of [first, second]) {
          expect((await run.run()).reason).toBe("");
          expect(run.log()).toContain(`greetings, ${language}`);
        }
        expect(first.runs.map(({ key }) => key)).toContain("packages");
        expect(second.runs.map(({ key }) => key)).not.toContain("packages");
        expect(existsSync(join(first.work, "node_modules", "greet", ".cache"))).toBe(false);
      },
      60_000,
    );
  }

  test("of two jobs at once are installed by one of them", async () => {
    const both = [1, 2].map(() => job(inBun("two")));
    const ends = await Promise.all(both.map((run) => run.run()));
    expect(ends.map(({ status }) => status)).toEqual(["finished", "finished"]);
    expect(both.flatMap(({ runs }) => runs).filter(({ key }) => key === "packages")).toHaveLength(1);
  });

  test("of another registry are other packages", async () => {
    await job(inBun("indexes")).run();
    const other = job({ ...inBun("indexes"), env_vars: { NPM_CONFIG_REGISTRY: "http://127.0.0.1:1/" } });
    expect((await other.run()).reason).toContain("could not be installed");
  });

  test("that do not exist fail the job with the manager's own words and leave nothing in the cache", async () => {
    const at = join(cacheDir, "missing");
    const run = job({ language: "bun", code: "1", packages: ["nothing@9.9.9"], env_vars: npmEnv, cacheDir: at });
    const { reason, remedy } = await run.run();
    expect(reason).toMatch(/^the packages of this script could not be installed: bun: .*nothing/);
    expect(remedy).toContain("registry");
    expect(readdirSync(join(at, "packages"))).toEqual([]);
  });

  test("that an earlier job only began to install are installed anew", async () => {
    const at = join(cacheDir, "half");
    const input = inBun("half");
    const done = job(input);
    await done.run();
    const root = join(at, "packages");
    const name = readdirSync(root).find((one) => !one.includes(".")) ?? "";
    const complete = realpathSync(join(root, name));
    rmSync(join(root, name));
    rmSync(complete, { recursive: true });
    // What a runner that died in mid-install leaves: its folder, and its lock.
    mkdirSync(join(root, `${name}.rundead.1`, "node_modules"), { recursive: true });
    writeFileSync(join(root, `${name}.lock`), JSON.stringify({ ...identify(process.pid), startTime: "1" }));
    const again = job(input);
    expect((await again.run()).status).toBe("finished");
    expect(again.log()).toContain("greetings, bun");
  });
});
