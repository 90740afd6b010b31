import { z } from "zod";
import text from "../../../build-config.yaml" with { type: "text" };

const toolConfig = z.strictObject({
  default: z.string().optional(),
  download: z
    .strictObject({
      /** Base address of the vendor; a mirror takes its place. */
      from: z.url(),
      /** Path below it, with {tool}, {version}, {platform}, {os} and {arch}. `.zip`, `.tar.gz`, or the program itself. */
      archive: z.string(),
      /** The program in the archive, with the same words. Default: the tool's name. */
      entry: z.string().optional(),
    })
    .optional(),
  /** Other names it has on PATH, tried after its own. */
  also: z.array(z.string()).optional(),
  /** version → platform (`linux_amd64`) → SHA-256 of the archive. */
  sha256: z.record(z.string(), z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/))).optional(),
});
export type ToolConfig = z.infer<typeof toolConfig>;

const target = z.strictObject({
  os: z.enum(["linux", "darwin"]),
  arch: z.enum(["x64", "arm64"]),
  /** As in the file's name; "": the usual one. */
  variant: z.enum(["", "baseline", "musl"]).default(""),
  /** Bun's name of the runtime that is put into the program, `linux-aarch64-musl`. */
  runtime: z.string(),
  /** Of that runtime, as it is on disk. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type ReleaseTarget = z.infer<typeof target>;

const buildConfigSchema = z.strictObject({
  /** Name for `npm run release -- --target` → what is built. */
  targets: z.record(z.string(), target),
  tools: z.strictObject({
    terraform: toolConfig,
    tofu: toolConfig,
    git: toolConfig,
    helm: toolConfig,
    kubectl: toolConfig,
    oras: toolConfig,
    podman: toolConfig,
    docker: toolConfig,
  }),
});
export type ToolName = keyof z.infer<typeof buildConfigSchema>["tools"];

let parsed: z.infer<typeof buildConfigSchema> | undefined;

/** build-config.yaml as it was when this binary was built. */
export function buildConfig(): z.infer<typeof buildConfigSchema> {
  parsed ??= buildConfigSchema.parse(Bun.YAML.parse(text));
  return parsed;
}
