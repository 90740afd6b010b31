import { chmodSync, readFileSync } from "node:fs";
import { RunnerError } from "../../../protocol/errors.ts";
import type { ScriptLanguage } from "../../../protocol/plans-ours.ts";

/** How scripts of one language are started. */
interface Language {
  /** Ending of a script that is given as text. */
  readonly ending: (code: string) => string;
  /** Names its interpreter may have on PATH, best first; empty: always there. */
  readonly programs: readonly string[];
  readonly called: string;
  readonly remedy: string;
  readonly argv: (program: string, file: string) => [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
}

/** This binary is Bun: with this variable it acts as it, whatever program was compiled into it. */
export const AS_BUN = { BUN_BE_BUN: "1" } as const;
export const BUN_PROGRAM = process.execPath;

const bun: Language = {
  ending: () => ".ts",
  programs: [],
  called: "Bun",
  remedy: "",
  // Without packages of its own a script would otherwise get the newest version of whatever it imports.
  argv: (_, file) => [BUN_PROGRAM, "--no-install", "run", file],
  env: AS_BUN,
};

const LANGUAGES: Readonly<Record<ScriptLanguage, Language>> = {
  shell: {
    ending: () => ".sh",
    programs: [],
    called: "a shell",
    remedy: "",
    argv: (_, file) => (ownInterpreter(file) ? [file] : ["/bin/sh", "-eu", file]),
    env: {},
  },
  node: {
    ending: (code) => (isModule(code) ? ".mjs" : ".cjs"),
    programs: ["node"],
    called: "Node",
    remedy: "Install Node where the runner works, or write the script in bun, which every runner has.",
    argv: (program, file) => [program, file],
    env: {},
  },
  python: {
    ending: () => ".py",
    programs: ["python3", "python"],
    called: "Python",
    remedy: "Install python3 where the runner works, or require a label that only runners with Python have.",
    argv: (program, file) => [program, file],
    // Lines reach the log when they are printed, not when a buffer is full.
    env: { PYTHONUNBUFFERED: "1" },
  },
  powershell: {
    ending: () => ".ps1",
    programs: ["pwsh", "powershell"],
    called: "PowerShell",
    remedy: "Install PowerShell (pwsh) where the runner works, or require a label that only runners with it have.",
    argv: (program, file) => [program, "-NoLogo", "-NoProfile", "-NonInteractive", "-File", file],
    env: {},
  },
  bun,
  typescript: bun,
};

export const languageOf = (name: ScriptLanguage): Language => LANGUAGES[name];

/** Interpreter of a language on the PATH of `env`; `` for one that is always there. Throws RunnerError environment. */
export function findInterpreter(name: ScriptLanguage, env: Readonly<Record<string, string>>): string {
  const { programs, called, remedy } = languageOf(name);
  if (programs.length === 0) return "";
  for (const program of programs) {
    const found = Bun.which(program, { PATH: env.PATH ?? "" });
    if (found !== null) return found;
  }
  const looked = programs.length > 1 ? `neither ${programs.join(" nor ")} is` : `${programs[0]} is not`;
  throw new RunnerError("environment", `there is no ${called} on this machine: ${looked} on the PATH`, {
    remedy,
  });
}

/** A script with a `#!` line of its own is started by it; a file of a source may lack the mode for that. */
function ownInterpreter(file: string): boolean {
  if (!readFileSync(file).subarray(0, 2).equals(Buffer.from("#!"))) return false;
  chmodSync(file, 0o700);
  return true;
}

/** Node has two kinds of files. `import`, `export` and `await` without any `require` make a module. */
function isModule(code: string): boolean {
  try {
    const { imports, exports } = new Bun.Transpiler({ loader: "js" }).scan(code.replace(/^#!.*/, ""));
    if (exports.length > 0 || imports.some(({ kind }) => kind === "import-statement")) return true;
    return !imports.some(({ kind }) => kind === "require-call") && /\bawait\b/.test(code);
  } catch {
    return false; // Node says better what is wrong with it
  }
}
