import { openLibc } from "../base/libc.ts";

/**
 * Frees the blocks of a file's range on disk while its size stays (fallocate PUNCH_HOLE|KEEP_SIZE). Linux only; elsewhere
 * nothing is freed before the file is deleted. The range reads as zeros afterwards.
 */
const PUNCH_HOLE_KEEP_SIZE = 0x02 | 0x01;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
/** Blocks are freed in multiples of this many bytes. */
export const HOLE_BYTES = 65_536;

interface Libc {
  fallocate(fd: number, mode: number, offset: number, length: number): number;
  lseek(fd: number, offset: number, whence: number): number;
}

let libc: Libc | null | undefined;

async function open(): Promise<Libc | null> {
  const symbols = await openLibc({
    fallocate: { args: ["i32", "i32", "i64", "i64"], returns: "i32" },
    lseek: { args: ["i32", "i64", "i32"], returns: "i64" },
  });
  if (symbols === null) return null;
  return {
    fallocate: (fd, mode, offset, length) => symbols.fallocate(fd, mode, offset, length),
    lseek: (fd, offset, whence) => Number(symbols.lseek(fd, offset, whence)),
  };
}

/** Load the C library once; before it is loaded the functions below do nothing. */
export async function prepareHoles(): Promise<void> {
  if (libc === undefined) libc = await open();
}

/** false: this system or file system cannot. `from` and `to` in bytes, whole blocks inside them are freed. */
export function punchHole(fd: number, from: number, to: number): boolean {
  const start = Math.ceil(from / HOLE_BYTES) * HOLE_BYTES;
  const end = Math.floor(to / HOLE_BYTES) * HOLE_BYTES;
  if (end <= start) return true;
  return libc ? libc.fallocate(fd, PUNCH_HOLE_KEEP_SIZE, start, end - start) === 0 : false;
}

/** Holes between `from` and `to`: what an earlier process freed. Empty when the system cannot tell. */
export function findHoles(fd: number, from: number, to: number): Array<{ from: number; to: number }> {
  const holes: Array<{ from: number; to: number }> = [];
  let at = from;
  while (libc && at < to) {
    const hole = libc.lseek(fd, at, SEEK_HOLE);
    if (hole < 0 || hole >= to) break;
    const data = libc.lseek(fd, hole, SEEK_DATA);
    const end = data < 0 ? to : Math.min(data, to);
    holes.push({ from: hole, to: end });
    at = end;
  }
  return holes;
}
