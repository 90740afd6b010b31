import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { removeTree } from "../../kit/workspace/index.ts";
import { type Completion, claim, completion } from "../../protocol/native.ts";
import { type ExecutionResultRequest, executionResultRequest } from "../../protocol/nuon/jobs.ts";
import type { ExecutionKey } from "./journal.ts";

/**
 * The private folder of one execution, `<state>/executions/<id>.<epoch>`, made on first use:
 *
 * | file | holds |
 * |---|---|
 * | sealed.json | plan, dialect's facts, values to redact, nonce of the output file; 0600, the first thing cleanup deletes |
 * | output      | what tools and runner wrote (kit/logs) |
 * | code-NAME   | exit code of each tool |
 * | result.json | what `execute` returned, for a restart before the report |
 * | report.json | the completion, until the control plane has it |
 * | work/       | the workspace |
 */
const sealed = z.object({
  plan: z.string().nullable(),
  nonce: z.string(),
  secrets: z.array(z.string()),
  facts: z.record(z.string(), z.unknown()),
  options: z.object({
    verify: z.boolean(),
    cancelGraceMs: z.number().nullable(),
    sensitiveVars: z.array(z.string()),
    resources: claim.shape.options.shape.resources,
    outputs: claim.shape.options.shape.outputs,
    gpus: claim.shape.options.shape.gpus,
  }),
});
export type Sealed = z.infer<typeof sealed>;

export type ExecutionFolder = ReturnType<typeof executionFolder>;

export function executionFolder(stateDir: string, key: ExecutionKey) {
  const root = join(stateDir, "executions", `${key.id}.${key.epoch}`);
  const file = (name: string) => join(root, name);
  const make = () => mkdirSync(file("work"), { recursive: true, mode: 0o700 });

  /** In place of a half-written file the old one stays: recovery reads these. */
  const writeAtomic = (name: string, value: unknown) => {
    make();
    writeFileSync(file(`${name}.new`), JSON.stringify(value), { mode: 0o600 });
    renameSync(file(`${name}.new`), file(name));
  };
  const read = <T>(name: string, schema: z.ZodType<T>): T | null => {
    try {
      return schema.parse(JSON.parse(readFileSync(file(name), "utf8")));
    } catch {
      return null; // absent, cut off by a full disk or a crash: the caller has a rule for each
    }
  };

  return {
    root,
    output: file("output"),
    work: file("work"),
    codeFile: (tool: string) => file(`code-${tool.replace(/[^A-Za-z0-9_.-]/g, "_")}`),
    make,
    exists: () => existsSync(root),
    seal: (value: Sealed) => writeAtomic("sealed.json", value),
    unseal: () => read("sealed.json", sealed),
    /** false: there is no room for it. */
    saveResult(value: ExecutionResultRequest | null): boolean {
      try {
        writeAtomic("result.json", { result: value });
        return true;
      } catch {
        return false;
      }
    },
    loadResult: () => read("result.json", z.object({ result: executionResultRequest.nullable() }))?.result ?? null,
    saveReport: (value: Completion) => writeAtomic("report.json", value),
    loadReport: () => read("report.json", completion),
    /** Position of the output file up to which the control plane has it. */
    shipped(): number {
      return read("shipped.json", z.number().int()) ?? 0;
    },
    setShipped(position: number): void {
      try {
        writeFileSync(file("shipped.json"), String(position), { mode: 0o600 });
      } catch {
        // Then a restart asks the control plane from an earlier place; it answers where to go on.
      }
    },
    /** Everything secret goes first, so that an interrupted removal leaves none. */
    async remove(): Promise<void> {
      for (const name of ["sealed.json", "report.json", "result.json"]) rmSync(file(name), { force: true });
      await removeTree(root, stateDir);
    },
    /** Keep only the workspace (an unsaved state lies there). */
    removeSecrets(): void {
      for (const name of ["sealed.json", "report.json", "result.json", "output"]) rmSync(file(name), { force: true });
    },
  };
}
