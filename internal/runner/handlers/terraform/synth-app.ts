import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { splitArgv } from "../../../kit/argv/split-argv.ts";
import { RunnerError } from "../../../protocol/errors.ts";
import { AS_BUN, BUN_PROGRAM } from "../script/languages.ts";

/** How the app of a `cdktf.json` is started. */
export interface AppCommand {
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** Whose packages it needs. */
  readonly family: "js" | "python" | "other";
}

/** What only a shell would understand. */
const SHELL = /[|&;<>$`\n]|\*/;
/** Words in front that only choose where packages come from; we have put them in place. */
const WRAPPERS: readonly (readonly string[])[] = [
  ["npx"],
  ["bunx"],
  ["pnpm", "exec"],
  ["pipenv", "run"],
  ["poetry", "run"],
  ["uv", "run"],
];
const TYPESCRIPT = new Set(["ts-node", "ts-node-esm", "tsx", "bun", "esbuild-runner", "esr"]);

/**
 * TypeScript runs in Bun, which is this very program; JavaScript in node where there is one, else in Bun as well; Python
 * in python3. A command that needs a shell gets one. Throws RunnerError: `environment` where the interpreter is missing,
 * `job` for a command that cannot be read.
 */
export function appCommand(app: string, folder: string, env: Readonly<Record<string, string>>): AppCommand {
  const path = [join(folder, "node_modules/.bin"), env.PATH ?? ""].join(delimiter);
  if (SHELL.test(app)) return { argv: ["/bin/sh", "-c", app], env: { PATH: path }, family: familyOf(app, folder) };
  const words = unwrapped(splitArgv(app));
  const [program = "", ...rest] = words;
  if (TYPESCRIPT.has(program)) return inBun(fileAndArguments(rest));
  if (program === "node") {
    const node = Bun.which("node", { PATH: env.PATH ?? "" });
    return node === null ? inBun(rest) : { argv: [node, ...rest], env: {}, family: "js" };
  }
  if (/^python[\d.]*$/.test(program)) {
    const python = Bun.which(program, { PATH: env.PATH ?? "" }) ?? Bun.which("python3", { PATH: env.PATH ?? "" });
    if (python === null) {
      throw new RunnerError("environment", "the source is synthesised by Python, which is not on this machine", {
        remedy: "Install python3 where the runner works, or require a label that only runners with Python have.",
      });
    }
    return { argv: [python, ...rest], env: { PYTHONUNBUFFERED: "1" }, family: "python" };
  }
  return { argv: [program, ...rest], env: { PATH: path }, family: familyOf(app, folder) };
}

/** Without it Bun would fetch the newest version of whatever is missing. */
const inBun = (rest: readonly string[]): AppCommand => ({
  argv: [BUN_PROGRAM, "--no-install", "run", ...rest],
  env: AS_BUN,
  family: "js",
});

function unwrapped(words: readonly string[]): readonly string[] {
  const wrapper = WRAPPERS.find((one) => one.every((word, index) => words[index] === word));
  if (wrapper === undefined) return words;
  const rest = words.slice(wrapper.length);
  const first = rest.findIndex((word) => !word.startsWith("-"));
  return first === -1 ? words : rest.slice(first);
}

/** The flags of ts-node and tsx mean nothing to Bun; the file is the first word that is none. */
function fileAndArguments(words: readonly string[]): readonly string[] {
  const rest = words[0] === "run" ? words.slice(1) : words;
  const file = rest.findIndex((word) => /\.[cm]?[jt]sx?$/.test(word));
  return file === -1 ? rest.filter((word) => !word.startsWith("-")) : rest.slice(file);
}

function familyOf(app: string, folder: string): AppCommand["family"] {
  if (/\bpython|\bpipenv|\bpoetry/.test(app)) return "python";
  return existsSync(join(folder, "package.json")) ? "js" : "other";
}
