import { readFileSync } from "node:fs";
import { COMMAND_NAMES, type CommandName, LATER_COMMANDS, MODE_ALIASES } from "../internal/config/commands.ts";
import { commandHelp, familyHelp, overview } from "../internal/config/help.ts";
import { loadConfig } from "../internal/config/load.ts";
import { readArgs } from "../internal/config/read-args.ts";
import { armFailpoints } from "../internal/kit/base/failpoint.ts";
import { createSystemLog } from "../internal/kit/base/system-log.ts";
import { EXIT, type ExitCode, RunnerError } from "../internal/protocol/errors.ts";
import { suggest } from "../internal/protocol/suggest.ts";
import { DISPATCH } from "./dispatch.ts";
import { VERSION } from "./lib/build-version.ts";
import { exemptLoopback } from "./lib/loopback-proxy.ts";
import { printError } from "./lib/print-error.ts";

exemptLoopback(process.env);
const env: Readonly<Record<string, string | undefined>> = process.env;
const argv = process.argv.slice(2);
const out = (text: string) => void process.stdout.write(`${text}\n`);
const say = (text: string) => void process.stderr.write(`${text}\n`);

// `runner job list | head -1`: the reader has what it wanted.
process.stdout.on("error", () => process.exit(EXIT.done));
// Nobody reads our errors any more; the work goes on all the same.
process.stderr.on("error", () => {});

process.on("uncaughtException", (error) => process.exit(report(error)));
process.on("unhandledRejection", (error) => process.exit(report(error)));
if (env.RUNNER_FAILPOINT) armFailpoints(env.RUNNER_FAILPOINT);

const code = await main().catch(report);
await new Promise((flushed) => process.stdout.write("", flushed));
process.exit(code);

function report(error: unknown): ExitCode {
  const json = /--log-format[= ]json\b/.test(argv.join(" ")) || env.RUNNER_LOG_FORMAT === "json";
  return printError(error, { format: json ? "json" : "text", say });
}

async function main(): Promise<ExitCode> {
  const found = findCommand(argv);
  if ("text" in found) {
    out(found.text.trimEnd());
    return found.code;
  }
  const { command, rest } = found;
  const args = readArgs(command, rest);
  if (args.help) {
    out(commandHelp(command).trimEnd());
    return EXIT.done;
  }
  const { values, sources, warnings } = loadConfig(command, args, {
    env,
    cwd: process.cwd(),
    readText: (path) => readFileSync(path, "utf8"),
    parseYaml: (text) => Bun.YAML.parse(text),
  });
  const log = createSystemLog({
    format: values.logFormat,
    level: values.logLevel,
    write: (line) => void process.stderr.write(line),
  });
  for (const warning of warnings) log.warn(warning);
  const live = process.stderr.isTTY === true && env.TERM !== "dumb" && values.logFormat === "text";
  return (await DISPATCH[command]())({
    values,
    sources,
    operands: args.operands,
    env,
    cwd: process.cwd(),
    version: VERSION,
    log,
    out,
    say,
    terminal: { live, colour: live && !env.NO_COLOR, columns: () => process.stderr.columns || 80 },
  });
}

type Found =
  | { readonly command: CommandName; readonly rest: readonly string[] }
  | { readonly text: string; readonly code: ExitCode };

/** The command that argv begins with, or the help text that answers it. Throws RunnerError usage. */
function findCommand(words: readonly string[]): Found {
  const [first = "", second = ""] = words;
  if (first === "" || first === "--help" || first === "-h" || (first === "help" && second === "")) {
    return { text: overview(VERSION), code: first === "" ? EXIT.usage : EXIT.done };
  }
  if (first === "help") return findCommand([...words.slice(1), "--help"]);
  if (first === "--version" || first === "-V") return { command: "version", rest: [] };
  const managing = COMMAND_NAMES.some((name) => name === `${first} ${second}`);
  if (Object.hasOwn(MODE_ALIASES, first) && !managing) {
    const mode = MODE_ALIASES[first as keyof typeof MODE_ALIASES];
    return { command: "run", rest: ["--mode", mode, ...words.slice(1)] };
  }
  for (const length of [2, 1]) {
    const command = COMMAND_NAMES.find((name) => name === words.slice(0, length).join(" "));
    if (command) return { command, rest: words.slice(length) };
  }
  const family = COMMAND_NAMES.filter((name) => name.startsWith(`${first} `));
  if (family.length > 0) return inFamily(first, second, family);
  throw unknownCommand(first);
}

function inFamily(family: string, word: string, names: readonly CommandName[]): Found {
  if (word === "" || word === "--help" || word === "-h") {
    return { text: familyHelp(family, names), code: word === "" ? EXIT.usage : EXIT.done };
  }
  const near = suggest(`${family} ${word}`, names);
  throw new RunnerError("usage", `unknown command \`runner ${family} ${word}\``, {
    remedy: near ? `Did you mean \`runner ${near}\`?` : `\`runner ${family} --help\` lists its commands.`,
  });
}

function unknownCommand(word: string): RunnerError {
  if ((LATER_COMMANDS as readonly string[]).includes(word)) {
    return new RunnerError("usage", `\`runner ${word}\` is not built into this version`, {
      remedy: "`runner --help` lists the commands.",
    });
  }
  const first = COMMAND_NAMES.map((name) => name.split(" ")[0] ?? "");
  const near = suggest(word, [...first, ...Object.keys(MODE_ALIASES)]);
  return new RunnerError("usage", `unknown command ${JSON.stringify(word)}`, {
    remedy: near ? `Did you mean \`runner ${near}\`?` : "`runner --help` lists the commands.",
  });
}
