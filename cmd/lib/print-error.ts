import { EXIT, type ExitCode, KIND_EXIT, RunnerError, reasonOf } from "../../internal/protocol/errors.ts";

/** Where and how errors are shown. */
export interface ErrorOutput {
  readonly format: "text" | "json";
  readonly say: (text: string) => void;
}

/** One error for a person (what, and below it the remedy) or as a JSON line; answers the exit code. */
export function printError(error: unknown, output: ErrorOutput): ExitCode {
  const known = error instanceof RunnerError ? error : defect(error);
  const code = KIND_EXIT[known.kind];
  if (output.format === "json") {
    const { kind, message, remedy = null } = known;
    output.say(
      JSON.stringify({ at: new Date().toISOString(), level: "error", text: message, kind, remedy, exit_code: code }),
    );
    return code;
  }
  output.say(`runner: ${known.message}`);
  if (known.remedy) output.say(`  → ${known.remedy}`);
  return code;
}

function defect(error: unknown): RunnerError {
  const at = error instanceof Error ? /\bat [^\n]+/.exec(error.stack ?? "")?.[0] : undefined;
  return new RunnerError("defect", `unexpected: ${reasonOf(error)}${at ? ` (${at.trim()})` : ""}`, {
    remedy: `This is a defect of runner (exit code ${EXIT.defect}). Run again with --log-level debug and report both.`,
    cause: error,
  });
}
