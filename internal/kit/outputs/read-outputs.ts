import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { RunnerError } from "../../protocol/errors.ts";
import { type OutputValues, parseOutputs } from "./parse-outputs.ts";

/** Most that one step may write to its outputs file. */
export const OUTPUTS_LIMIT_BYTES = 1024 * 1024;

/**
 * Outputs of one step from its file; none when the step removed it. Throws RunnerError (job) when the file is too large,
 * not a plain file, or not in the grammar of `parseOutputs`.
 */
export function readOutputs(path: string): OutputValues {
  const bytes = readCapped(path);
  return bytes === null ? {} : parseOutputs(bytes);
}

function readCapped(path: string): Uint8Array | null {
  let fd: number;
  try {
    // The step may have put a named pipe there: without O_NONBLOCK opening it would wait for a writer for ever.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return null;
    throw new RunnerError("job", "the outputs file cannot be opened", { cause });
  }
  try {
    if (!fstatSync(fd).isFile()) throw new RunnerError("job", "the outputs file is no longer a plain file");
    const bytes = new Uint8Array(OUTPUTS_LIMIT_BYTES + 1);
    let length = 0;
    for (let got = -1; got !== 0 && length < bytes.length; length += got) {
      got = readSync(fd, bytes, length, bytes.length - length, null);
    }
    if (length > OUTPUTS_LIMIT_BYTES) {
      throw new RunnerError("job", `the outputs are larger than ${OUTPUTS_LIMIT_BYTES} bytes`, {
        remedy: "Keep large results in a file or a store and output where they are.",
      });
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}
