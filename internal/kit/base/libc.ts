import type { FFIFunction, Library } from "bun:ffi";
import { existsSync, readdirSync } from "node:fs";

/**
 * Functions of the C library, glibc's or musl's, whichever this process can load. null: neither, or no Linux. Loaded when
 * asked for: a command that needs none does not pay for it.
 */
export async function openLibc<const Fns extends Record<string, FFIFunction>>(
  functions: Fns,
): Promise<Library<Fns>["symbols"] | null> {
  if (process.platform !== "linux") return null;
  const { dlopen } = await import("bun:ffi").catch(() => ({ dlopen: null }));
  if (!dlopen) return null;
  for (const name of ["libc.so.6", ...muslNames("/lib"), "libc.so"]) {
    try {
      return dlopen(name, functions).symbols;
    } catch {
      // The other C library. glibc's libc.so is a text for the linker, which cannot be loaded either.
    }
  }
  return null;
}

/** `libc.musl-x86_64.so.1` as Alpine names it, or the loader, which is musl's library too. */
export function muslNames(folder: string): string[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names.filter((name) => /^(libc\.musl|ld-musl)-.*\.so\.1$/.test(name)).sort((a, b) => b.localeCompare(a));
}
