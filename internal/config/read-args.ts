import { RunnerError } from "../protocol/errors.ts";
import { suggest } from "../protocol/suggest.ts";
import { COMMANDS, type CommandName } from "./commands.ts";
import { META_FLAGS, SETTINGS, type SettingName, settingsOf } from "./settings.ts";

/** argv behind the command's name, taken apart; values are still text. */
export interface Args {
  readonly help: boolean;
  /** Path of the config file. */
  readonly config: string | null;
  readonly flags: ReadonlyMap<SettingName, string | readonly string[]>;
  readonly operands: readonly string[];
}

/** `--flag value`, `--flag=value`, `--bool`, `--no-bool`, `-f value`; `--` ends the flags. Throws RunnerError usage. */
export function readArgs(command: CommandName, argv: readonly string[]): Args {
  const flags = new Map<SettingName, string | readonly string[]>();
  const operands: string[] = [];
  let help = false;
  let config: string | null = null;
  const rest = [...argv];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--") {
      operands.push(...rest);
      break;
    }
    if (!arg.startsWith("-") || arg === "-") {
      operands.push(arg);
      continue;
    }
    if (arg === "--help" || arg === "-h") {
      help = true;
      continue;
    }
    const [name, inline] = split(arg);
    const value = (): string => inline ?? next(name, rest);
    if (name === "--config") {
      config = value();
      continue;
    }
    const found = lookUp(command, name);
    if (SETTINGS[found.setting].type !== "bool") {
      put(flags, found.setting, name, value());
    } else if (found.negated && inline !== undefined) {
      throw new RunnerError("usage", `${name} takes no value`);
    } else {
      put(flags, found.setting, name, found.negated ? "false" : (inline ?? "true"));
    }
  }
  if (!help) checkOperands(command, operands);
  return { help, config, flags, operands };
}

function split(arg: string): [string, string | undefined] {
  const at = arg.indexOf("=");
  return at < 0 ? [arg, undefined] : [arg.slice(0, at), arg.slice(at + 1)];
}

function next(name: string, rest: string[]): string {
  const value = rest.shift();
  if (value === undefined || (value.startsWith("--") && value.length > 2)) {
    throw new RunnerError("usage", `${name} needs a value${value ? `, found ${value}` : ""}`, {
      remedy: `Write ${name} VALUE, or ${name}=VALUE when the value begins with dashes.`,
    });
  }
  return value;
}

function lookUp(command: CommandName, name: string): { setting: SettingName; negated: boolean } {
  const mine = settingsOf(command);
  for (const setting of mine) {
    const info: { flag: string; short?: string; type: string } = SETTINGS[setting];
    if (name === `--${info.flag}` || (info.short !== undefined && name === `-${info.short}`)) {
      return { setting, negated: false };
    }
    if (info.type === "bool" && name === `--no-${info.flag}`) return { setting, negated: true };
  }
  const flags = [...mine.map((setting) => SETTINGS[setting].flag), ...META_FLAGS];
  const near = suggest(name.replace(/^-+/, ""), flags);
  throw new RunnerError("usage", `unknown option ${name} of \`runner ${command}\``, {
    remedy: near ? `Did you mean --${near}?` : `\`runner ${command} --help\` lists the options.`,
  });
}

function put(flags: Map<SettingName, string | readonly string[]>, setting: SettingName, name: string, value: string) {
  const type = SETTINGS[setting].type;
  const before = flags.get(setting);
  if (before !== undefined && type !== "slots" && type !== "labels") {
    throw new RunnerError("usage", `${name} is given twice`, { remedy: "Give it once." });
  }
  flags.set(setting, type === "slots" || type === "labels" ? [...(before ?? []), value] : value);
}

function checkOperands(command: CommandName, operands: readonly string[]): void {
  const { count, operands: wanted } = COMMANDS[command];
  if (operands.length < count[0]) {
    throw new RunnerError("usage", `\`runner ${command}\` needs ${wanted}`, {
      remedy: `For example: ${COMMANDS[command].examples[0]}`,
    });
  }
  if (operands.length > count[1]) {
    throw new RunnerError("usage", `\`runner ${command}\` does not take ${JSON.stringify(operands[count[1]])}`, {
      remedy: `Usage: runner ${command}${wanted ? ` ${wanted}` : ""} [options]`,
    });
  }
}
