import { z } from "zod";
import { JOB_TYPES } from "../../protocol/enums.ts";
import { globMatches, PATTERN_LIMIT } from "./glob.ts";
import { zoneFault } from "./windows.ts";

/** `policy.yaml`: what the owner of a machine lets jobs do there, whatever a control plane asks (docs/policy.md). */

const pattern = z.string().max(PATTERN_LIMIT);
const patterns = z.array(pattern).min(1).max(200);

export const OPERATIONS = ["plan", "plan-destroy", "apply", "destroy", "build", "exec"] as const;
export type Operation = (typeof OPERATIONS)[number];

const typePattern = pattern.refine(
  (text) => text.startsWith("x-") || JOB_TYPES.some((type) => globMatches(text, type)),
  { error: "no job type of this version is called that; `runner explain` lists them" },
);

const gitSource = z.strictObject({
  git: pattern.describe("host/path of the repository, such as github.com/acme/**"),
  refs: patterns.optional().describe("branches, tags or commits"),
  pinned: z.boolean().optional().describe("true: only a full commit"),
  submodules: z.boolean().optional().describe("true: the repository may bring others. Default: it may not"),
});
const ociSource = z.strictObject({
  oci: pattern.describe("host/repository, such as ghcr.io/acme/**"),
  tags: patterns.optional().describe("tags"),
  pinned: z.boolean().optional().describe("true: only by digest"),
});
const packedSource = z.strictObject({
  packed: z.literal(true).describe("a folder that came with the job file, from the coordinator itself"),
});

const image = z.union([
  pattern,
  z.strictObject({
    image: pattern.describe("host/repository, such as docker.io/library/*"),
    pinned: z.boolean().optional().describe("true: only by digest"),
  }),
]);

export const TERRAFORM_ACTIONS = ["create", "read", "update", "delete", "forget", "import"] as const;
export const KUBERNETES_ACTIONS = ["create", "update", "delete", "none"] as const;

const terraform = z.strictObject({
  resources: patterns.optional().describe("resource types, such as aws_db_*"),
  addresses: patterns.optional().describe("addresses, such as module.network.*"),
  providers: patterns.optional().describe("providers, such as registry.terraform.io/hashicorp/*"),
  actions: z.array(z.enum(TERRAFORM_ACTIONS)).min(1).optional().describe("a replacement is a delete and a create"),
});
const kubernetes = z.strictObject({
  namespaces: patterns.optional().describe("namespaces; '' stands for what lies in none"),
  kinds: patterns.optional().describe("kinds, such as Secret or Cluster*"),
  names: patterns.optional().describe("names of objects"),
  actions: z.array(z.enum(KUBERNETES_ACTIONS)).min(1).optional(),
});

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const clockTime = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$/, "a time such as 08:00, or 24:00");
const date = z.iso.date();
const window = z
  .strictObject({
    days: z.array(z.enum(DAYS)).min(1).optional(),
    from: clockTime.optional().describe("first minute. Default: 00:00"),
    to: clockTime.optional().describe("first minute after it; before `from` means the next day. Default: 24:00"),
    since: date.optional().describe("first day, such as 2026-12-20"),
    until: date.optional().describe("last day"),
    zone: z.string().describe("name of a time zone, such as Europe/Berlin or UTC"),
  })
  .superRefine((value, ctx) => {
    const fault = zoneFault(value.zone);
    if (fault !== null) ctx.addIssue({ code: "custom", path: ["zone"], message: fault });
    if (value.from !== undefined && value.from === value.to)
      ctx.addIssue({ code: "custom", path: ["to"], message: "the window is empty: from and to are the same" });
    if (value.since !== undefined && value.until !== undefined && value.until < value.since)
      ctx.addIssue({ code: "custom", path: ["until"], message: "the window is empty: until is before since" });
  });

const when = z.strictObject({
  types: z.array(typePattern).min(1).max(100).optional(),
  operations: z.array(z.enum(OPERATIONS)).min(1).optional(),
  sources: z
    .array(z.union([gitSource, ociSource, packedSource]))
    .min(1)
    .max(200)
    .optional(),
  images: z.array(image).min(1).max(200).optional(),
  commands: patterns.optional().describe("whole command lines; * stands for anything"),
  releases: patterns.optional().describe("names of helm releases"),
  terraform: terraform.optional(),
  kubernetes: kubernetes.optional(),
  times: z.array(window).min(1).max(50).optional(),
});
export type When = z.infer<typeof when>;

const rule = z
  .strictObject({
    name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/, "letters, digits, dots and dashes"),
    effect: z.enum(["allow", "deny"]),
    reason: z.string().min(1).max(300).optional().describe("for the person whose job is refused"),
    when: when.optional().describe("everything said here must hold. Default: every job"),
  })
  .refine((one) => one.effect === "allow" || one.reason !== undefined, {
    path: ["reason"],
    error: "a rule that refuses needs a reason: it is all that the person at the other end sees",
  });
export type Rule = z.infer<typeof rule>;

export const policySchema = z.strictObject({
  version: z.literal(1),
  default: z.enum(["allow", "deny"]).describe("what happens to a job that no rule is about"),
  rules: z.array(rule).max(500).default([]),
});
export type Policy = z.infer<typeof policySchema>;
