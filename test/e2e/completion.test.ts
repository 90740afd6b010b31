import { afterAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { makeBed } from "../faults/lib/processes.ts";

const bed = makeBed();
afterAll(() => bed.end());

async function script(shell: string): Promise<string> {
  const { code, stdout } = await bed.run(["completion", shell]);
  expect(code).toBe(0);
  writeFileSync(bed.path(`runner.${shell}`), stdout);
  return bed.path(`runner.${shell}`);
}

async function sh(argv: string[]): Promise<string> {
  const child = Bun.spawn(argv, {
    cwd: bed.root,
    env: { PATH: process.env.PATH ?? "", HOME: bed.root },
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  expect([code, err]).toEqual([0, ""]);
  return out;
}

/** What is typed, and what must be offered; the last word is the one under the cursor. */
const CASES: readonly (readonly [readonly string[], readonly string[]])[] = [
  [["j"], ["job"]],
  [["job", "su"], ["submit"]],
  [
    ["workspaces", ""],
    ["list", "show", "unlock"],
  ],
  [["run", "--drain"], ["--drain-timeout"]],
  [
    ["run", "--mode", ""],
    ["all", "install", "org", "mng"],
  ],
  [
    ["install", "--dialect", "n"],
    ["native", "nuon"],
  ],
  [["explain", "terraform-d"], ["terraform-deploy"]],
  [
    ["completion", ""],
    ["bash", "zsh", "fish"],
  ],
  [["job", "submit", "--wa"], ["--wait"]],
  [
    ["job", "submit", "--log-format", ""],
    ["text", "json"],
  ],
];

describe("completion in bash", () => {
  for (const [words, offered] of CASES) {
    test(`offers ${offered.join(", ")} after \`runner ${words.join(" ")}\``, async () => {
      const file = await script("bash");
      const quoted = ["runner", ...words].map((word) => `'${word}'`).join(" ");
      const body = `source ${file}; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; _runner; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const got = (await sh(["bash", "--norc", "-euc", body])).trim().split("\n");
      for (const word of offered) expect(got).toContain(word);
    });
  }

  test("is registered for `runner`, completes files after a path option and values behind =", async () => {
    const file = await script("bash");
    writeFileSync(bed.path("jobfile.yaml"), "");
    const ask = (...words: string[]) =>
      sh([
        "bash",
        "--norc",
        "-c",
        `source ${file}; COMP_WORDS=(${words.join(" ")}); COMP_CWORD=${words.length - 1}; _runner; echo "\${COMPREPLY[*]}"`,
      ]);
    expect(await sh(["bash", "--norc", "-c", `source ${file}; complete -p runner`])).toContain("-F _runner runner");
    expect(await ask("runner", "job", "submit", "-f", "jobf")).toBe("jobfile.yaml\n");
    expect(await ask("runner", "run", "--mode", "=", "ins")).toBe("install\n");
  });
});

test.skipIf(Bun.which("fish") === null)("completion in fish offers the same (needs fish)", async () => {
  const file = await script("fish");
  for (const [words, offered] of CASES) {
    const line = ["runner", ...words].join(" ");
    const got = await sh(["fish", "--no-config", "-c", `source ${file}; complete -C '${line}'`]);
    const first = got.split("\n").map((one) => one.split("\t")[0]);
    for (const word of offered) expect(first).toContain(word);
  }
});

test.skipIf(Bun.which("zsh") === null)(
  "completion in zsh loads and is registered for `runner` (needs zsh)",
  async () => {
    const file = await script("zsh");
    await sh(["zsh", "-f", "-n", file]);
    const body = `autoload -Uz compinit; compinit -u -D; source ${file}; print $_comps[runner]`;
    expect(await sh(["zsh", "-f", "-c", body])).toBe("_runner\n");
  },
);

test("a shell without completion is refused with exit code 2 and the ones there are", async () => {
  const { code, stderr } = await bed.run(["completion", "fisch"]);
  expect(code).toBe(2);
  expect(stderr).toContain("allowed: bash, zsh, fish");
  expect(stderr).toContain("Did you mean `runner completion fish`?");
});
