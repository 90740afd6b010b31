import { existsSync, realpathSync, statSync } from "node:fs";
import { normalize } from "node:path";
import { z } from "zod";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";

/**
 * Relaxations of a container's limits, by name, in a file of the runner's operator. A job only names one. What a
 * profile does not say stays as strict as it is without.
 */
const absolute = z.string().regex(/^\/[^:\0]*$/, "an absolute path without a colon");
const mount = z.strictObject({ from: absolute, to: absolute, writable: z.boolean().default(false) });

export const profile = z.strictObject({
  /** Images that may use it, as written in a job with their host; `*` stands for any text. Absent: every image. */
  images: z.array(z.string().min(1)).optional(),
  /** Name of a network of the engine, such as bridge or host. Default: none. */
  network: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/)
    .default("none"),
  /** `image`: the image's own, which may be root. Else UID:GID. */
  user: z.union([z.literal("image"), z.string().regex(/^\d+:\d+$/)]).optional(),
  capabilities: z.array(z.string().regex(/^[A-Z_]+$/)).default([]),
  writable_root: z.boolean().default(false),
  new_privileges: z.boolean().default(false),
  /** Most processes and threads. */
  pids: z.number().int().positive().optional(),
  mounts: z.array(mount).default([]),
  devices: z.array(absolute).default([]),
  /** Names that resolve to an address, on top of the network's. */
  hosts: z.record(z.string().regex(/^[A-Za-z0-9.-]+$/), z.string().regex(/^[0-9a-f.:]+$/)).default({}),
  /** File of NAME=VALUE lines; its values are secret. */
  env_file: absolute.optional(),
  /** Folder that Victoria's tasks share, mounted writable at /workspace/Victoria. */
  victoria_home: absolute.optional(),
});
export type Profile = z.infer<typeof profile>;

const profilesFile = z.strictObject({ profiles: z.record(z.string(), profile) });

/** Places of engines' sockets, and what lies around them. */
const SOCKET_PLACES =
  /^\/(?:var|(?:var\/)?run(?:\/(?:(?:docker|podman|containerd|crio)[^/]*(?:\/.*)?|user(?:\/\d+(?:\/(?:docker|podman|containerd)[^/]*(?:\/.*)?)?)?))?)?$/;

/** No job gets the engine itself, nor a folder that holds its socket: whoever has that is root on the machine. */
function hasSocket(path: string): boolean {
  const written = normalize(path).replace(/(?<=.)\/$/, "");
  const real = existsSync(path) ? realpathSync(path) : written;
  return [written, real].some((one) => one.endsWith(".sock") || SOCKET_PLACES.test(one));
}

/** All profiles of a file's text. Errors (environment) name the file and what is wrong. */
export function readProfiles(text: string, file: string): Result<Readonly<Record<string, Profile>>> {
  let value: unknown;
  try {
    value = Bun.YAML.parse(text);
  } catch (error) {
    return fail(unusable(file, reasonOf(error)));
  }
  const parsed = profilesFile.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return fail(
      unusable(file, `${issue?.path.map(String).join(".") ?? ""}: ${issue?.message ?? "not a profiles file"}`),
    );
  }
  for (const [name, { mounts, devices, victoria_home: home }] of Object.entries(parsed.data.profiles)) {
    const folders = [...mounts.map(({ from }) => from), ...devices, ...(home === undefined ? [] : [home])];
    const socket = folders.find(hasSocket);
    if (socket !== undefined)
      return fail(unusable(file, `${name}: ${socket} has an engine's socket, which no job gets`));
  }
  return ok(parsed.data.profiles);
}

/** The profile of this name. Throws RunnerError: `policy` when there is none, `environment` for a file that cannot be used. */
export function readProfile(file: string | null, name: string, read: (path: string) => string): Profile {
  if (file === null) throw unknownProfile(name, "this runner has no profiles");
  let text: string;
  try {
    if ((statSync(file).mode & 0o022) !== 0) throw new Error("others than its owner can write it");
    text = read(file);
  } catch (error) {
    throw unusable(file, reasonOf(error));
  }
  const profiles = readProfiles(text, file);
  if (!profiles.ok) throw profiles.error;
  const found = Object.hasOwn(profiles.value, name) ? profiles.value[name] : undefined;
  if (found === undefined)
    throw unknownProfile(name, `the runner has ${Object.keys(profiles.value).join(", ") || "none"}`);
  return found;
}

const unusable = (file: string, why: string) =>
  new RunnerError("environment", `the container profiles in ${file} cannot be used: ${why}`, {
    remedy: "Correct the file on the runner's machine; docs/handlers/container.md shows its form.",
  });

const unknownProfile = (name: string, why: string) =>
  new RunnerError("policy", `the container profile ${JSON.stringify(name)} is not approved here: ${why}`, {
    remedy: "The runner's operator adds it to the file of --container-profiles.",
  });

/** Whether a profile is for this image. */
export function allowsImage({ images }: Profile, reference: string): boolean {
  if (images === undefined) return true;
  return images.some((pattern) => {
    const text = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
    return new RegExp(`^${text.join(".*")}$`).test(reference);
  });
}
