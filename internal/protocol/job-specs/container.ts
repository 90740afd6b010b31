import { z } from "zod";
import { registryCredentials, sourceSpec, textOrSecret } from "../job-file.ts";
import { PULL_POLICIES, victoriaTask } from "../plans-ours.ts";

const text = z.union([z.string(), z.number().transform(String)]);

/** `spec` of a job of type `container`. */
export const containerSpec = z
  .strictObject({
    image: z.string().min(1).describe("such as alpine:3.20 or registry.example.com/app@sha256:…; a digest is checked"),
    pull: z
      .enum(PULL_POLICIES)
      .optional()
      .describe("missing: when the machine has not got it. always: ask the registry each time. Default: missing"),
    credentials: registryCredentials
      .optional()
      .describe("of the image's registry, for this job alone; name the password: { env: NAME } or { file: PATH }"),
    entrypoint: z.array(text).min(1).optional().describe("program in place of the image's entry point"),
    command: z.array(text).optional().describe("in place of the image's command, as it is: no shell sees it"),
    workdir: z.string().startsWith("/").optional().describe("folder it starts in. Default: /workspace"),
    env: z
      .record(z.string(), textOrSecret)
      .optional()
      .describe("variables, values of several lines too; a secret is { env: NAME } or { file: PATH }"),
    files: z
      .record(z.string(), textOrSecret)
      .optional()
      .describe("contents by absolute path inside, read-only; a secret is { env: NAME } or { file: PATH }"),
    source: sourceSpec.optional().describe("folder at /workspace, writable; an empty one when left out"),
    pids: z
      .number()
      .int()
      .min(1)
      .optional()
      .describe("most processes and threads. Default: 512, the profile's at most"),
    profile: z
      .string()
      .min(1)
      .optional()
      .describe("named relaxation (network, user, …) that the runner's operator approved"),
    victoria: victoriaTask
      .optional()
      .describe("a task for Victoria's image: prompt, files and reporter environment; needs a profile with its home"),
  })
  .superRefine((spec, ctx) => {
    if (spec.victoria !== undefined && spec.command !== undefined) {
      ctx.addIssue({
        code: "custom",
        path: ["command"],
        message: "the command of a victoria task is made of its prompt",
      });
    }
  });
export type ContainerSpec = z.infer<typeof containerSpec>;
