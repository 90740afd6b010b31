import { readFileSync, readlinkSync } from "node:fs";
import { openLibc } from "./libc.ts";

/** By then a process that waits for work has started; ms. */
const STARTED_MS = 20_000;
const MADV_DONTNEED = 4;

/**
 * A while from now, gives back what only the start of the program needed of its file: 11 MiB of Bun that a waiting
 * process keeps mapped otherwise. The kernel has the pages still, and maps those that are used again. Linux; elsewhere
 * nothing happens. Does not keep the process alive.
 */
export function forgetStart(afterMs = STARTED_MS): void {
  setTimeout(() => void dropCode(), afterMs).unref();
}

/** Answers how many bytes are mapped anew, page by page, when they are used. */
export async function dropCode(): Promise<number> {
  const ranges = ownCode();
  if (ranges.length === 0) return 0;
  const libc = await openLibc({ madvise: { args: ["u64", "u64", "i32"], returns: "i32" } });
  let bytes = 0n;
  // Code is never written to, so that what is dropped is what the file holds. Not so for its data.
  for (const { start, end } of ranges) if (libc?.madvise(start, end - start, MADV_DONTNEED) === 0) bytes += end - start;
  return Number(bytes);
}

/** Where the code of this program lies. Both files spell its path alike, also when an update has replaced it. */
function ownCode(): { readonly start: bigint; readonly end: bigint }[] {
  try {
    const program = readlinkSync("/proc/self/exe");
    return readFileSync("/proc/self/maps", "utf8")
      .split("\n")
      .flatMap((line) => {
        const [, start, end, path] = /^([0-9a-f]+)-([0-9a-f]+) r-xp \S+ \S+ \d+ +(.*)$/.exec(line) ?? [];
        return path === program ? [{ start: BigInt(`0x${start}`), end: BigInt(`0x${end}`) }] : [];
      });
  } catch {
    return []; // no Linux, or one that hides it
  }
}
