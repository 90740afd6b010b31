import type { z } from "zod";
import { cloudOf } from "../../kit/cloud/registry-login.ts";
import { fail, ok, type Result, RunnerError, reasonOf } from "../../protocol/errors.ts";
import type { SourceSpec } from "../../protocol/job-file.ts";
import type { gitSource, OciRegistry } from "../../protocol/nuon/plans.ts";
import type { Submission } from "../../protocol/operator.ts";
import { sourceRegistry } from "./render-plan.ts";

/** A packed folder as a plan names it. */
interface PackedSource {
  readonly digest: string;
  readonly registry: OciRegistry;
  readonly tag: string;
  /** Folder inside the artifact, null for its top. */
  readonly path: string | null;
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** The upload that belongs to the `path` source at `place` (e.g. `spec.source`) of a submission. */
function packedSource(place: string, submission: Submission): Result<PackedSource> {
  const given = submission.sources?.[place];
  if (given === undefined) {
    return usage(`${place}: a path source must be packed and uploaded first; sources["${place}"] is missing`);
  }
  if (!DIGEST.test(given.digest)) {
    return usage(`sources["${place}"].digest: found "${given.digest}"; expected sha256: and 64 hexadecimal digits`);
  }
  const path = innerPath(given.path);
  if (path === null)
    return usage(`sources["${place}"].path: found "${given.path}"; expected a folder inside the source`);
  const hex = given.digest.slice("sha256:".length);
  return ok({ digest: given.digest, registry: sourceRegistry(hex), tag: hex, path: path === "" ? null : path });
}

/** Normalised relative path; `` for the top, null when it leads out. */
function innerPath(path: string): string | null {
  if (path.startsWith("/") || path.includes("\0") || path.includes("\\")) return null;
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") return null;
    parts.push(part);
  }
  return parts.join("/");
}

/** A source as plans name it: an OCI artifact, packed by us (then with its digest) or somebody else's, or a repository. */
export type WireSource =
  | { readonly kind: "oci"; readonly artifact: Artifact; readonly digest: string | null }
  | { readonly kind: "git"; readonly git: z.infer<typeof gitSource> };

/** `path` is the folder inside the artifact; absent: its top. */
type Artifact = { readonly registry: OciRegistry; readonly tag: string; readonly path?: string };

/** The source at `place` (e.g. `spec.source`) of a submission. Errors are of kind `usage` and name the key. */
export function wireSource(source: SourceSpec, place: string, submission: Submission): Result<WireSource> {
  if ("git" in source) return repository(source.git, `${place}.git`);
  if ("oci" in source) return artifact(source.oci, `${place}.oci`);
  const packed = packedSource(place, submission);
  if (!packed.ok) return packed;
  const { registry, tag, path, digest } = packed.value;
  return ok({ kind: "oci", artifact: path === null ? { registry, tag } : { registry, tag, path }, digest });
}

type GitSpec = Extract<SourceSpec, { git: unknown }>["git"];
type OciSpec = Extract<SourceSpec, { oci: unknown }>["oci"];

/** A Go runner refuses an empty ref or path; HEAD is the remote's own default branch. */
function repository(spec: GitSpec, place: string): Result<WireSource> {
  const url = spec.credentials === undefined ? ok(spec.url) : withLogin(spec.url, spec.credentials, place);
  if (!url.ok) return url;
  const recurse = spec.submodules ?? false;
  const keys = spec.known_hosts;
  if (typeof keys === "object") {
    return usage(`${place}.known_hosts: a file cannot be read here`, "Submit with `runner job submit`.");
  }
  const known = keys === undefined ? {} : { known_hosts: String(keys) };
  const git = {
    url: url.value,
    ref: spec.ref ?? "HEAD",
    path: spec.path || ".",
    recurse_submodules: recurse,
    ...known,
  };
  return ok({ kind: "git", git });
}

/** The plan carries a login in the address, as Nuon's does; the runner takes it out before anything sees it. */
function withLogin(url: string, spec: NonNullable<GitSpec["credentials"]>, place: string): Result<string> {
  const login = loginOf(spec, place);
  if (!login.ok) return login;
  const parsed = URL.parse(url);
  if (parsed?.protocol !== "https:" && parsed?.protocol !== "http:") {
    return usage(`${place}.credentials: only an https address takes credentials; ssh uses the keys of the runner`);
  }
  parsed.username = encodeURIComponent(login.value.username || "token");
  parsed.password = encodeURIComponent(login.value.password);
  return ok(parsed.href);
}

const REFERENCE =
  /^([A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?)\/([a-z0-9][a-z0-9._/-]*)(?::([A-Za-z0-9_][A-Za-z0-9._-]{0,127})|@(sha256:[0-9a-f]{64}))$/;

function artifact(spec: OciSpec, place: string): Result<WireSource> {
  const [, host = "", repository = "", tag, digest] = REFERENCE.exec(spec.ref) ?? [];
  const reference = digest ?? tag;
  if (reference === undefined) {
    return usage(`${place}.ref: found "${spec.ref}"; expected host/repository:tag or host/repository@sha256:…`);
  }
  const path = innerPath(spec.path ?? "");
  if (path === null) return usage(`${place}.path: found "${spec.path}"; expected a folder inside the artifact`);
  const { cloud, ...written } = spec.credentials ?? {};
  const login = written.password === undefined ? ok(null) : loginOf({ ...written, password: written.password }, place);
  if (!login.ok) return login;
  const made = cloud ? cloudBlock(host, place) : ok(null);
  if (!made.ok) return made;
  const registry: OciRegistry = {
    Plugin: "oci",
    RegistryType: login.value === null ? "public_oci" : "private_oci",
    Region: "",
    ECRAuth: null,
    ACRAuth: null,
    OCIAuth: login.value && { Username: login.value.username, Password: login.value.password },
    Repository: repository,
    LoginServer: host,
    ...made.value,
  };
  const inner = path === "" ? {} : { path };
  return ok({ kind: "oci", artifact: { registry, tag: reference, ...inner }, digest: null });
}

/** A registry that ECR or ACR named says itself which cloud makes its login. */
function cloudBlock(
  host: string,
  place: string,
): Result<Pick<OciRegistry, "RegistryType" | "ECRAuth" | "ACRAuth" | "Region">> {
  try {
    const { cloud, auth } = cloudOf(host);
    if (cloud === "aws") return ok({ RegistryType: "ecr", ECRAuth: auth, ACRAuth: null, Region: auth.region ?? "" });
    return ok({ RegistryType: "acr", ECRAuth: null, ACRAuth: auth, Region: "" });
  } catch (error) {
    return usage(`${place}.credentials.cloud: ${reasonOf(error)}`);
  }
}

function loginOf(
  spec: NonNullable<GitSpec["credentials"]>,
  place: string,
): Result<{ readonly username: string; readonly password: string }> {
  const { username = "", password } = spec;
  if (typeof username === "string" && typeof password === "string") return ok({ username, password });
  return usage(`${place}.credentials: a secret reference cannot be resolved here`, "Submit with `runner job submit`.");
}

export const usage = (message: string, remedy?: string): Result<never> =>
  fail(new RunnerError("usage", message, remedy === undefined ? {} : { remedy }));
