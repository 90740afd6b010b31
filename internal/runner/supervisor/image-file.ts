import { readFileSync } from "node:fs";
import { RunnerError, reasonOf } from "../../protocol/errors.ts";
import { writeDurable } from "./durable-file.ts";
import type { Pointers } from "./layout.ts";

/** The image that is used, the one before it, and those that are to be removed: `host/name:tag@sha256:…`. */
export interface ImageUse extends Pointers {
  readonly older: readonly string[];
}

/** The environment file that the runner's unit takes its image from. */
export interface ImageFile {
  readonly path: string;
  /** Throws RunnerError environment when it is there and cannot be read. */
  read(): ImageUse;
  /** Whole before and after a power cut, 0600. Throws what the file system throws. */
  write(next: ImageUse): void;
}

const HEAD = "# Which image the runner is, written by mng. By hand: RUNNER_IMAGE only, then restart the service.";
const NAMES = { current: "RUNNER_IMAGE", previous: "RUNNER_IMAGE_PREVIOUS", older: "RUNNER_IMAGE_OLDER" } as const;

export function openImageFile(path: string): ImageFile {
  return {
    path,
    read() {
      const text = textOf(path);
      // A line that a person has added counts, as it does for the unit: the last one.
      const value = (name: string) =>
        [...text.matchAll(new RegExp(`^${name}=["']?([^"'\\n]*?)["']?\\s*$`, "gm"))].at(-1)?.[1] || null;
      const older = value(NAMES.older)?.split(" ") ?? [];
      return { current: value(NAMES.current), previous: value(NAMES.previous), older };
    },
    write({ current, previous, older }) {
      const lines = [
        HEAD,
        `${NAMES.current}=${current ?? ""}`,
        ...(previous === null ? [] : [`${NAMES.previous}=${previous}`]),
        ...(older.length === 0 ? [] : [`${NAMES.older}="${older.join(" ")}"`]),
      ];
      writeDurable(path, `${lines.join("\n")}\n`);
    },
  };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return "";
    throw new RunnerError(
      "environment",
      `the file ${path}, which names the image, cannot be read: ${reasonOf(cause)}`,
      {
        remedy: "It is root's (0600); run this as root.",
        cause,
      },
    );
  }
}
