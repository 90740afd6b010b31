import type { Config } from "../../internal/config/load.ts";
import type { SettingName, Values } from "../../internal/config/settings.ts";
import type { SystemLog } from "../../internal/kit/base/system-log.ts";
import { type ExitCode, RunnerError } from "../../internal/protocol/errors.ts";

/** What a command gets: everything it may know of the world outside. */
export interface Context {
  readonly values: Values;
  readonly sources: Config["sources"];
  readonly operands: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly version: string;
  readonly log: SystemLog;
  /** Data, to stdout; one call is one line or more without the last newline. */
  readonly out: (text: string) => void;
  /** For people, to stderr. */
  readonly say: (text: string) => void;
  /** stderr is a terminal that may be drawn on (and NO_COLOR is not set, for `colour`). */
  readonly terminal: { readonly live: boolean; readonly colour: boolean; readonly columns: () => number };
}

export type Command = (context: Context) => Promise<ExitCode>;

/** A setting that this command cannot do without. Throws RunnerError usage that says how to give it. */
export function need<T>(value: T | null, name: string, flag: string, env: string): T {
  if (value !== null) return value;
  throw new RunnerError("usage", `${name} is missing`, { remedy: `Give --${flag} or set ${env}.` });
}

/** The only operand, which the table of commands has checked to be there. */
export function operand(context: Pick<Context, "operands">): string {
  return context.operands[0] ?? "";
}

export type Wanted<K extends SettingName> = Pick<Values, K>;
