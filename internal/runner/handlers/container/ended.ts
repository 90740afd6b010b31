import { constants } from "node:os";
import { type ContainerState, lastLine } from "../../../kit/containers/index.ts";
import { sizeText } from "../../../kit/exec/index.ts";
import { RunnerError } from "../../../protocol/errors.ts";

export interface End {
  readonly state: ContainerState;
  /** What the engine's client said of a container that did not start. */
  readonly said: string;
  readonly memoryBytes: number;
  /** The engine was gone for a while. */
  readonly engineLost: boolean;
}

/** Why a container's end is no success, in one line; null: it is one. */
export function endFault({ state, said, memoryBytes, engineLost }: End): RunnerError | null {
  const { exitCode, error } = state;
  if (!state.started) return notStarted(lastLine(error || said));
  const limit = sizeText(memoryBytes);
  if (state.outOfMemory) {
    return new RunnerError("job", `out of memory: the container used up its ${limit} (resources.memory)`, {
      remedy: "Give it more by resources.memory, or make it use less.",
    });
  }
  if (exitCode === 0) return null;
  if (engineLost) {
    return new RunnerError("environment", `the container engine died while the container ran (exit code ${exitCode})`, {
      remedy: "Look at the engine's own log; the job can be retried.",
    });
  }
  if (exitCode === 137) {
    return new RunnerError(
      "job",
      `the container was ended by signal 9 (SIGKILL), as when memory is used up (its limit is ${limit})`,
      {
        remedy: "Some engines do not say which it was; the kernel's log does.",
      },
    );
  }
  if (exitCode > 128 && exitCode < 193) {
    const name = Object.entries(constants.signals).find(([, number]) => number === exitCode - 128)?.[0];
    return new RunnerError("job", `the container was ended by signal ${exitCode - 128}${name ? ` (${name})` : ""}`);
  }
  return new RunnerError("job", `the container exited with ${exitCode}`);
}

function notStarted(why: string): RunnerError {
  const missing = /exec(?:utable file)?:? "([^"]*)".*(?:not found|no such file)/i.exec(why)?.[1];
  if (missing !== undefined) {
    return new RunnerError("job", `the container could not start: the image has no program ${missing}`, {
      remedy: "Check `command` and `entrypoint`, and the PATH of the image.",
    });
  }
  if (/CDI device|device driver "" with capabilities: \[\[gpu/i.test(why)) {
    return new RunnerError(
      "environment",
      `the container could not start: the engine cannot give it its GPUs (${why})`,
      {
        remedy:
          "Install the NVIDIA container toolkit on the runner's machine; for podman `nvidia-ctk cdi generate` too.",
      },
    );
  }
  const denied = /exec(?:utable file)?:? "([^"]*)".*permission denied/i.exec(why)?.[1];
  if (denied !== undefined) {
    return new RunnerError("job", `the container could not start: ${denied} is not executable for its user`, {
      remedy: "It runs as a user without rights; a profile can name another.",
    });
  }
  return new RunnerError("job", `the container could not start: ${why || "the engine does not say why"}`);
}
