import { chmodSync, writeFileSync } from "node:fs";
import { RunnerError, reasonOf } from "../../internal/protocol/errors.ts";
import type { ControlPlane } from "../../internal/runner/controlplane/control-plane.ts";

export type Outputs = Readonly<Record<string, unknown>>;

/** A control plane that also keeps what is delivered: outputs in clear are nowhere else (by job id). */
export function keepOutputs(controlPlane: ControlPlane, kept: Map<string, Outputs>): ControlPlane {
  return {
    ...controlPlane,
    complete: (execution, completion, cleanup, signal) => {
      if (completion.outputs !== null) kept.set(execution.jobId, completion.outputs);
      return controlPlane.complete(execution, completion, cleanup, signal);
    },
  };
}

/** Writes outputs in clear, readable by this user alone. Throws RunnerError environment. */
export function writeOutputs(path: string, format: "json" | "env", outputs: Outputs): void {
  const text = format === "json" ? `${JSON.stringify(outputs)}\n` : envText(outputs);
  try {
    writeFileSync(path, "", { mode: 0o600 });
    chmodSync(path, 0o600); // before the first secret byte, when the file was there already
    writeFileSync(path, text);
  } catch (cause) {
    throw new RunnerError("environment", `outputs file ${path} cannot be written: ${reasonOf(cause)}`, {
      remedy: "Check --outputs and the permissions of its folder.",
      cause,
    });
  }
}

/** `KEY='value'` lines that any shell reads; what no shell allows in a name becomes an underscore. */
function envText(outputs: Outputs): string {
  return Object.entries(outputs)
    .map(([name, value]) => {
      const key = name.replace(/[^A-Za-z0-9_]/g, "_").replace(/^(?=\d)/, "_");
      const text = typeof value === "string" ? value : JSON.stringify(value);
      return `${key}='${text.replaceAll("'", `'\\''`)}'\n`;
    })
    .join("");
}
