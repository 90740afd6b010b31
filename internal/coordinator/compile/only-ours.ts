import type { ActionSpec, TerraformSpec } from "../../protocol/job-file.ts";

/**
 * What a Go runner would get wrong, so that such a job waits for a runner of ours (nuon-handlers.md 9.1, 9.7): it splits
 * a command on single spaces and knows no quotes.
 */
export const quotesCommand = (spec: ActionSpec): boolean =>
  spec.steps.some((step) => step.command !== undefined && /["'\\]/.test(step.command));

/** It downloads the exact version it is told, and knows no other way to a terraform. */
export const leavesVersionOpen = (spec: TerraformSpec): boolean => spec.version === undefined;

/** It applies what the top of a source has, and knows no `cdktf.json`. */
export const needsSynthesis = (digest: string, hasFile?: (digest: string, path: string) => boolean): boolean =>
  hasFile?.(digest, "cdktf.json") ?? false;
