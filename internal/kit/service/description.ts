import { z } from "zod";
import text from "../../../service.yml" with { type: "text" };

const seconds = z.int().positive();
const absolute = z.string().regex(/^\/[\w./-]*$/);
const lines = z.array(z.string().regex(/^[A-Z][A-Za-z0-9]+=/)).readonly();

const service = z.strictObject({
  /** Without `.service`; an instance's is `UNIT@NAME`. */
  unit: z.string(),
  summary: z.string(),
  mode: z.enum(["all", "install", "org", "mng"]),
  user: z.string(),
  /** There is a template of it too. */
  instances: z.boolean(),
  systemd: lines,
});
export type ServiceRow = z.infer<typeof service>;

const relaxation = z.strictObject({
  /** The jobs that need it. */
  for: z.string(),
  /** What it opens; `{open}` stands for the words of `open` in service.yml. */
  says: z.string(),
  /** `{open}` stands for its lines. */
  systemd: z.array(z.string().regex(/^([A-Z][A-Za-z0-9]+=|\{open\}$)/)).readonly(),
});
export type Relaxation = z.infer<typeof relaxation>;

const description = z.strictObject({
  user: z.string(),
  group: z.string(),
  prefix: absolute,
  config: absolute,
  state: absolute,
  cache: absolute,
  restart: z.strictObject({ delay: seconds, longest: seconds, steps: seconds }),
  watchdog: seconds,
  drain: z.strictObject({ timeout: seconds, grace: seconds }),
  limits: z.strictObject({ open_files: z.int().positive(), tasks: z.int().positive() }),
  container: z.strictObject({ user: z.int().positive(), home: absolute }),
  systemd: lines,
  services: z.strictObject({ runner: service, mng: service }),
  open: z.strictObject({ says: z.string(), systemd: lines }),
  relaxations: z.record(z.string().regex(/^[a-z]+$/), relaxation),
});
export type ServiceDescription = z.infer<typeof description>;

let parsed: ServiceDescription | undefined;

/** service.yml as it was when this binary was built. Times are seconds. */
export function serviceDescription(): ServiceDescription {
  parsed ??= opened(description.parse(Bun.YAML.parse(text)));
  return parsed;
}

/** `{open}` put in. */
function opened(read: ServiceDescription): ServiceDescription {
  const relaxations = Object.entries(read.relaxations).map(([name, one]) => [
    name,
    {
      ...one,
      says: one.says.replace("{open}", read.open.says),
      systemd: one.systemd.flatMap((line) => (line === "{open}" ? read.open.systemd : [line])),
    },
  ]);
  return { ...read, relaxations: Object.fromEntries(relaxations) };
}
