import type { Engine } from "./engine.ts";
import type { Profile } from "./profiles.ts";

export interface ContainerRequest {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Id of an image that is here. */
  readonly image: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly workdir: string;
  /** UID:GID; null: the image's own. */
  readonly user: string | null;
  /** It is the runner's own, whose number is to be the same inside. */
  readonly ownUser: boolean;
  readonly mounts: readonly Mount[];
  readonly envFiles: readonly string[];
  /** Names whose values are in the environment of the engine's client. */
  readonly envNames: readonly string[];
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly pids: number;
  /** UUIDs. */
  readonly gpus: readonly string[];
  readonly profile: Pick<
    Profile,
    "network" | "capabilities" | "writable_root" | "new_privileges" | "devices" | "hosts"
  >;
}

export interface Mount {
  readonly from: string;
  readonly to: string;
  readonly writable: boolean;
  /** Belongs to this job alone: SELinux may label it for this container. */
  readonly own: boolean;
}

const TMP_BYTES = 64 * 2 ** 20;

/**
 * Arguments that make a container as strict as DESIGN section 8 asks; only what the profile names is looser. They hold
 * no value of a variable, no secret and nothing an engine could take from its own settings.
 */
export function createArgv(engine: Pick<Engine, "name" | "rootless">, request: ContainerRequest): string[] {
  const { profile } = request;
  const podman = engine.name === "podman";
  return [
    "create",
    `--name=${request.name}`,
    ...Object.entries(request.labels).map(([key, value]) => `--label=${key}=${value}`),
    "--pull=never",
    "--log-driver=none",
    "--restart=no",
    // Podman hands the proxies of its own environment on unless it is told not to.
    ...(podman ? ["--http-proxy=false"] : []),
    "--cap-drop=ALL",
    ...profile.capabilities.map((name) => `--cap-add=${name}`),
    ...(profile.new_privileges ? [] : ["--security-opt=no-new-privileges"]),
    ...(profile.writable_root ? [] : ["--read-only", ...(podman ? ["--read-only-tmpfs=false"] : [])]),
    tmpArg(podman, request.user),
    `--network=${profile.network}`,
    ...Object.entries(profile.hosts).map(([name, address]) => `--add-host=${name}:${address}`),
    ...(request.user === null ? [] : [`--user=${request.user}`]),
    // So that the runner can read and remove what the container wrote.
    ...(podman && engine.rootless && request.ownUser ? ["--userns=keep-id"] : []),
    `--pids-limit=${request.pids}`,
    `--memory=${request.memoryBytes}`,
    `--memory-swap=${request.memoryBytes}`,
    `--cpus=${request.cpus}`,
    ...profile.devices.map((path) => `--device=${path}`),
    ...gpuArgs(podman, request.gpus),
    ...request.mounts.map(
      ({ from, to, writable, own }) => `--volume=${from}:${to}:${writable ? "rw" : "ro"}${own ? ",Z" : ""}`,
    ),
    `--workdir=${request.workdir}`,
    ...request.envFiles.map((path) => `--env-file=${path}`),
    ...request.envNames.map((name) => `--env=${name}`),
    ...(request.entrypoint[0] === undefined ? [] : [`--entrypoint=${request.entrypoint[0]}`]),
    request.image,
    ...request.entrypoint.slice(1),
    ...request.command,
  ];
}

/**
 * A private /tmp. runc gives a tmpfs the rights of the image's folder whatever mode is asked for, so it has to belong to
 * the container's user, which each engine says in its own way.
 */
function tmpArg(podman: boolean, user: string | null): string {
  if (podman)
    return `--mount=type=tmpfs,destination=/tmp,tmpfs-mode=1777,tmpfs-size=${TMP_BYTES},nosuid,nodev,noexec,U=true`;
  const [uid, gid] = user?.split(":") ?? [];
  const owner = uid === undefined || gid === undefined ? "" : `,uid=${uid},gid=${gid}`;
  return `--tmpfs=/tmp:rw,nosuid,nodev,noexec,mode=1777,size=${TMP_BYTES}${owner}`;
}

/** CDI names for podman; for docker one device request, whose list of UUIDs needs quotes of its own (it is CSV). */
function gpuArgs(podman: boolean, gpus: readonly string[]): string[] {
  if (gpus.length === 0) return [];
  if (podman) return gpus.map((uuid) => `--device=nvidia.com/gpu=${uuid}`);
  return [`--gpus="device=${gpus.join(",")}"`];
}
