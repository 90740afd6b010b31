import { describe, expect, test } from "bun:test";
import { type ContainerRequest, createArgv } from "./create-argv.ts";

const STRICT: ContainerRequest = {
  name: "runner-exe1-0",
  labels: { "dev.runner.instance": "i1" },
  image: "sha256:aa",
  entrypoint: ["/bin/tini", "--"],
  command: ["sh", "-c", "echo $HOME"],
  workdir: "/workspace",
  user: "65534:65534",
  ownUser: false,
  mounts: [
    { from: "/state/source", to: "/workspace", writable: true, own: true },
    { from: "/srv/data", to: "/data", writable: false, own: false },
  ],
  envFiles: ["/state/env"],
  envNames: ["KEY"],
  cpus: 1.5,
  memoryBytes: 1024,
  pids: 512,
  gpus: ["GPU-1", "GPU-2"],
  profile: {
    network: "none",
    capabilities: [],
    writable_root: false,
    new_privileges: false,
    devices: [],
    hosts: {},
  },
};

describe("the arguments that make a container", () => {
  test("for podman are these, with GPUs by their CDI names", () => {
    expect(createArgv({ name: "podman", rootless: false }, STRICT)).toEqual([
      "create",
      "--name=runner-exe1-0",
      "--label=dev.runner.instance=i1",
      "--pull=never",
      "--log-driver=none",
      "--restart=no",
      "--http-proxy=false",
      "--cap-drop=ALL",
      "--security-opt=no-new-privileges",
      "--read-only",
      "--read-only-tmpfs=false",
      "--mount=type=tmpfs,destination=/tmp,tmpfs-mode=1777,tmpfs-size=67108864,nosuid,nodev,noexec,U=true",
      "--network=none",
      "--user=65534:65534",
      "--pids-limit=512",
      "--memory=1024",
      "--memory-swap=1024",
      "--cpus=1.5",
      "--device=nvidia.com/gpu=GPU-1",
      "--device=nvidia.com/gpu=GPU-2",
      "--volume=/state/source:/workspace:rw,Z",
      "--volume=/srv/data:/data:ro",
      "--workdir=/workspace",
      "--env-file=/state/env",
      "--env=KEY",
      "--entrypoint=/bin/tini",
      "sha256:aa",
      "--",
      "sh",
      "-c",
      "echo $HOME",
    ]);
  });

  test("for docker are these, with GPUs by one device request", () => {
    expect(createArgv({ name: "docker", rootless: false }, { ...STRICT, entrypoint: [] })).toEqual([
      "create",
      "--name=runner-exe1-0",
      "--label=dev.runner.instance=i1",
      "--pull=never",
      "--log-driver=none",
      "--restart=no",
      "--cap-drop=ALL",
      "--security-opt=no-new-privileges",
      "--read-only",
      "--tmpfs=/tmp:rw,nosuid,nodev,noexec,mode=1777,size=67108864,uid=65534,gid=65534",
      "--network=none",
      "--user=65534:65534",
      "--pids-limit=512",
      "--memory=1024",
      "--memory-swap=1024",
      "--cpus=1.5",
      '--gpus="device=GPU-1,GPU-2"',
      "--volume=/state/source:/workspace:rw,Z",
      "--volume=/srv/data:/data:ro",
      "--workdir=/workspace",
      "--env-file=/state/env",
      "--env=KEY",
      "sha256:aa",
      "sh",
      "-c",
      "echo $HOME",
    ]);
  });

  test("keep the runner's own number of user where podman has no root rights", () => {
    expect(createArgv({ name: "podman", rootless: true }, { ...STRICT, ownUser: true })).toContain("--userns=keep-id");
  });

  test("are looser only in what a profile names", () => {
    const strict = createArgv({ name: "podman", rootless: false }, STRICT);
    const profile = {
      network: "bridge",
      capabilities: ["CHOWN"],
      writable_root: true,
      new_privileges: true,
      devices: ["/dev/kvm"],
      hosts: { db: "10.0.0.7" },
    };
    const loose = createArgv({ name: "podman", rootless: false }, { ...STRICT, user: null, profile });
    expect(loose.filter((arg) => !strict.includes(arg))).toEqual([
      "--cap-add=CHOWN",
      "--network=bridge",
      "--add-host=db:10.0.0.7",
      "--device=/dev/kvm",
    ]);
    expect(strict.filter((arg) => !loose.includes(arg))).toEqual([
      "--security-opt=no-new-privileges",
      "--read-only",
      "--read-only-tmpfs=false",
      "--network=none",
      "--user=65534:65534",
    ]);
  });
});
