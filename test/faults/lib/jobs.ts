import { test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Bed } from "./processes.ts";

/** Job files of the suite. Each leaves a trace outside every folder of ours, one line per time it really worked. */
export interface Sample {
  readonly file: string;
  /** Lines of the trace. */
  traces(): string[];
  /** The work may end now (it waits for this otherwise). */
  release(): void;
}

export function action(
  bed: Bed,
  options: { name?: string; wait?: boolean; timeout?: string; grace?: string; body?: string; attempts?: number } = {},
): Sample {
  const name = options.name ?? "act";
  const trace = bed.path(`${name}.trace`);
  const gate = bed.path(`${name}.gate`);
  const wait = options.wait ? `while [ ! -e "${gate}" ]; do sleep 0.05; done\n` : "";
  const body =
    options.body ??
    `echo begin >> "${trace}"\necho "line one"\n${wait}echo worked >> "${trace}"\necho "answer=42" >> "$RUNNER_OUTPUT"\n`;
  const indent = (text: string) => text.replace(/^/gm, "        ").trimEnd();
  writeFileSync(
    bed.path(`${name}.yaml`),
    `type: actions-workflow\nname: ${name}\n${options.timeout ? `timeout: ${options.timeout}\n` : ""}${options.grace ? `cancel_grace: ${options.grace}\n` : ""}${options.attempts ? `retry: { attempts: ${options.attempts} }\n` : ""}spec:\n  steps:\n    - name: first\n      run: |\n${indent(body)}\n    - name: second\n      run: |\n        echo second >> "${trace}"\n        echo "line two"\n`,
  );
  return sampleOf(bed.path(`${name}.yaml`), trace, gate);
}

/** A module whose resource waits for the gate while terraform holds the lock, then leaves its trace. */
export function terraform(
  bed: Bed,
  options: {
    name?: string;
    wait?: boolean;
    timeout?: string;
    operation?: string;
    /** A person approves the plan first. */
    approval?: boolean;
    /** Default: its name. */
    workspace?: string;
    cidr?: string;
  } = {},
): Sample {
  const name = options.name ?? "net";
  const trace = bed.path(`${name}.trace`);
  const gate = bed.path(`${name}.gate`);
  mkdirSync(bed.path(name), { recursive: true });
  const wait = options.wait ? `while [ ! -e "${gate}" ]; do sleep 0.05; done; ` : "";
  writeFileSync(
    bed.path(name, "main.tf"),
    `variable "cidr" { type = string }\nresource "terraform_data" "net" {\n  input = var.cidr\n  provisioner "local-exec" {\n    command = "echo begin >> '${trace}'; ${wait.replaceAll('"', '\\"').replaceAll("$", "$$")}echo worked >> '${trace}'"\n  }\n}\noutput "cidr" { value = terraform_data.net.output }\n`,
  );
  writeFileSync(
    bed.path(`${name}.yaml`),
    `type: terraform-deploy\noperation: ${options.operation ?? "apply"}\nname: ${name}\n${options.timeout ? `timeout: ${options.timeout}\n` : ""}${options.approval ? "approval: required\n" : ""}spec:\n  source: { path: ./${name} }\n  version: 1.11.4\n  workspace: ${options.workspace ?? name}\n  vars: { cidr: ${options.cidr ?? "10.0.0.0/16"} }\n`,
  );
  return sampleOf(bed.path(`${name}.yaml`), trace, gate);
}

/** A job file with its trace and its gate. */
export function sampleOf(file: string, trace: string, gate: string): Sample {
  return {
    file,
    traces: () => (existsSync(trace) ? readFileSync(trace, "utf8").split("\n").filter(Boolean) : []),
    release: () => writeFileSync(gate, ""),
  };
}

/** A case that needs terraform on PATH; skipped by name without it, which CI counts as a failure. */
export const terraformTest = test.skipIf(Bun.which("terraform") === null);
