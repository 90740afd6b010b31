import type { ToolEnd } from "../handler.ts";

/** How a program of the job ended, after its name in a sentence. */
export function endedText({ code }: ToolEnd): string {
  if (code === null) return "ended, but its exit code is lost";
  return `exited with ${code}${code > 128 && code < 193 ? ` (signal ${code - 128})` : ""}`;
}
