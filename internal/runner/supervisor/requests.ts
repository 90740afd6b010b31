import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** What a person asks of a running mng (`runner mng update`, `runner mng rollback`), as a file of its state directory. */
const request = z.discriminatedUnion("what", [
  z.strictObject({ what: z.literal("update"), id: z.string(), version: z.string() }),
  z.strictObject({ what: z.literal("rollback"), id: z.string(), reason: z.string() }),
]);
export type ManagementRequest = z.infer<typeof request>;

const fileOf = (stateDir: string) => join(stateDir, "request.json");

/** Throws what the file system throws. */
export function leaveRequest(stateDir: string, asked: ManagementRequest): void {
  const aside = `${fileOf(stateDir)}.${process.pid}`;
  writeFileSync(aside, JSON.stringify(asked), { mode: 0o600 });
  renameSync(aside, fileOf(stateDir));
}

/** null: there is none, or none that can be understood (it is removed then). */
export function readRequest(stateDir: string): ManagementRequest | null {
  try {
    const parsed = request.safeParse(JSON.parse(readFileSync(fileOf(stateDir), "utf8")));
    if (parsed.success) return parsed.data;
  } catch (error) {
    if (error instanceof Error && "code" in error) return null; // there is none
  }
  dropRequest(stateDir);
  return null;
}

/** It is done, or journalled. With an `id` only that one: another may have been left meanwhile. */
export function dropRequest(stateDir: string, id?: string): void {
  if (id === undefined || readRequest(stateDir)?.id === id) rmSync(fileOf(stateDir), { force: true });
}
