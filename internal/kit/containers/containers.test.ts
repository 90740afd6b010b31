import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RunnerError } from "../../protocol/errors.ts";
import { type Engine, findEngine } from "./engine.ts";
import { envCarriers } from "./env-file.ts";
import { imageReference } from "./image-reference.ts";
import { allowsImage, type Profile, readProfile } from "./profiles.ts";
import { authFile, explainPull, pullArgv } from "./pull.ts";

const SUM = `sha256:${"0".repeat(64)}`;
const podman: Engine = { name: "podman", program: "/usr/bin/podman", env: {}, rootless: false };

function errorOf(work: () => unknown): RunnerError {
  try {
    work();
  } catch (error) {
    if (error instanceof RunnerError) return error;
  }
  throw new Error("it was taken");
}

describe("an image is named alike for every engine", () => {
  const names: [string, string][] = [
    ["alpine", "docker.io/library/alpine:latest"],
    ["team/app:1.2", "docker.io/team/app:1.2"],
    ["localhost/bb:1", "localhost/bb:1"],
    ["registry.example.com:5000/a/b", "registry.example.com:5000/a/b:latest"],
    ["index.docker.io/library/alpine:3", "docker.io/library/alpine:3"],
    ["GHCR.io:443/a/b:1", "ghcr.io/a/b:1"],
    ["ghcr.io./a/b:1", "ghcr.io/a/b:1"],
    [`host.io/app@${SUM}`, `host.io/app@${SUM}`],
    [`host.io/app:1@${SUM}`, `host.io/app@${SUM}`],
  ];
  for (const [given, text] of names) test(`${given} is ${text}`, () => expect(imageReference(given).text).toBe(text));

  for (const bad of [
    "",
    "--privileged",
    "UPPER",
    "a b",
    "app:",
    "app@sha256:12",
    "host.io/",
    "a:b:c",
    `app@${SUM}@${SUM}`,
    "x\n",
  ]) {
    test(`${JSON.stringify(bad)} is refused`, () => {
      const { kind, message, remedy } = errorOf(() => imageReference(bad));
      expect([kind, message.includes("cannot be used"), remedy !== undefined]).toEqual(["job", true, true]);
    });
  }
});

describe("variables of a container", () => {
  test("go by a file, those of several lines by the client's environment", () => {
    const { file, passed } = envCarriers(podman, { A: " x = 1 ", B: "#no comment", PEM: "a\nb", CR: "a\r" });
    expect(file).toBe("A= x = 1 \nB=#no comment\n");
    expect(passed).toEqual({ PEM: "a\nb", CR: "a\r" });
  });

  const refused: [string, Record<string, string>, string][] = [
    ["a name with a newline", { "A\nB": "1" }, "is not a name"],
    ["a name that is a comment", { "#A": "1" }, "is not a name"],
    ["a NUL byte", { A: "\0" }, "NUL byte"],
    ["several lines for a setting of the engine", { LD_PRELOAD: "a\nb" }, "setting of the engine"],
    ["several lines for the engine's address", { CONTAINER_HOST: "a\nb" }, "setting of the engine"],
  ];
  for (const [what, given, reason] of refused) {
    test(`are refused with ${what}`, () => expect(errorOf(() => envCarriers(podman, given)).message).toContain(reason));
  }
});

describe("an engine", () => {
  test("that is nowhere is told with the way to get one", () => {
    const error = errorOf(() => findEngine({ wanted: null, env: { PATH: "/nonexistent" }, uid: 0 }));
    expect(error.message).toBe("no container runtime found: neither podman nor docker is on the PATH");
    expect(error.remedy).toContain("apt-get install podman");
    expect(errorOf(() => findEngine({ wanted: "docker", env: { PATH: "/nonexistent" }, uid: 0 })).message).toContain(
      "docker is not on the PATH",
    );
  });

  test("is podman before docker, and gets its own settings but no token of the runner", () => {
    const folder = mkdtempSync(join(tmpdir(), "engines-"));
    for (const name of ["podman", "docker"]) writeFileSync(join(folder, name), "#!/bin/sh\n", { mode: 0o755 });
    const env = {
      PATH: folder,
      HOME: "/h",
      DOCKER_HOST: "unix:///s",
      RUNNER_API_TOKEN: "t",
      AWS_SECRET_ACCESS_KEY: "k",
    };
    const found = findEngine({ wanted: null, env, uid: 1000 });
    expect(found).toEqual({
      name: "podman",
      program: join(folder, "podman"),
      env: { PATH: folder, HOME: "/h", DOCKER_HOST: "unix:///s" },
      rootless: true,
    });
    expect(findEngine({ wanted: "docker", env, uid: 0 }).name).toBe("docker");
    rmSync(folder, { recursive: true });
  });
});

describe("a pull", () => {
  const image = imageReference(`registry.example.com/app@${SUM}`);
  const causes: [string, string][] = [
    ["Error: ... write /var/tmp/x: no space left on device", "disk of the engine's store is full"],
    ["Error response from daemon: unauthorized: authentication required", "refused the login"],
    [
      "Error: reading manifest sha256:00 in registry.example.com/app: manifest unknown: manifest unknown",
      "no such image with this digest",
    ],
    ["Error: pinging container registry: Get https://images.test/v2/: x509: unknown authority", "no certificate"],
    ["Error: pinging container registry: dial tcp 10.0.0.1:443: connect: connection refused", "cannot be reached"],
    ["something new", "the pull failed (something new)"],
  ];
  for (const [said, reason] of causes) {
    test(`that fails with "${said.slice(-40)}" says: ${reason}`, () => {
      const error = explainPull(podman, image, `Trying to pull...\n${said}\n`);
      expect(error.message).toContain(reason);
      expect(error.message).not.toContain("\n");
    });
  }

  test("without its daemon says so", () => {
    const docker: Engine = { ...podman, name: "docker" };
    const said = "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?";
    expect(explainPull(docker, image, said).message).toContain("docker does not answer");
  });

  test("has its login in a file that both engines read, and never the machine's own", () => {
    const { text, secret } = authFile(imageReference("alpine"), { username: "u", password: "p" });
    expect(JSON.parse(text)).toEqual({
      auths: { "docker.io": { auth: "dTpw" }, "https://index.docker.io/v1/": { auth: "dTpw" } },
    });
    expect(secret).toBe("dTpw");
    expect(authFile(image, null)).toEqual({ text: '{"auths":{}}', secret: null });
    expect(pullArgv(podman, image)).toEqual(["/usr/bin/podman", "pull", image.text]);
    expect(pullArgv(podman, imageReference("127.0.0.1:5000/a:1"))).toContain("--tls-verify=false");
  });
});

describe("profiles", () => {
  const folder = mkdtempSync(join(tmpdir(), "profiles-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "p.yaml");
  const read = (text: string, name = "p"): Profile => {
    writeFileSync(file, text);
    chmodSync(file, 0o600);
    return readProfile(file, name, (path) => readFileSync(path, "utf8"));
  };

  test("say only what they loosen", () => {
    expect(read("profiles: { p: { network: bridge } }")).toEqual({
      network: "bridge",
      capabilities: [],
      writable_root: false,
      new_privileges: false,
      mounts: [],
      devices: [],
      hosts: {},
    });
  });

  const refused: [string, string, RunnerError["kind"], string][] = [
    ["of another name", "profiles: { q: {} }", "policy", "the runner has q"],
    ["that JavaScript has and the file has not", "profiles: {}", "policy", "not approved here"],
    ["with an unknown key", "profiles: { p: { privileged: true } }", "environment", "profiles.p"],
    [
      "that mounts an engine's socket",
      "profiles: { p: { mounts: [{ from: /run/docker.sock, to: /x }] } }",
      "environment",
      "socket",
    ],
    ...["/run/../run/docker.sock", "//run", "/var/run/podman/", "/run/user/1000/podman", "/run/user/0/docker.sock"].map(
      (path): [string, string, RunnerError["kind"], string] => [
        `that mounts ${path}, where an engine's socket is,`,
        `profiles: { p: { mounts: [{ from: ${path}, to: /x }] } }`,
        "environment",
        "socket",
      ],
    ),
    ["whose home of Victoria holds a socket", "profiles: { p: { victoria_home: /var/run } }", "environment", "socket"],
    ["of a file that is no YAML", "profiles: [", "environment", "cannot be used"],
    ["with an option for a network", 'profiles: { p: { network: "--x" } }', "environment", "network"],
  ];
  for (const [what, text, kind, reason] of refused) {
    test(`${what} are refused`, () => {
      const error = errorOf(() => read(text, what.includes("JavaScript") ? "toString" : "p"));
      expect(error.kind).toBe(kind);
      expect(error.message).toContain(reason);
    });
  }

  test("of a file that others can write are refused", () => {
    read("profiles: { p: {} }");
    chmodSync(file, 0o666);
    expect(errorOf(() => readProfile(file, "p", () => "")).message).toContain("others than its owner can write it");
  });

  test("that mount a link to a socket's folder are refused", () => {
    symlinkSync("/run", join(folder, "innocent"));
    const text = `profiles: { p: { mounts: [{ from: ${join(folder, "innocent")}, to: /x }] } }`;
    expect(errorOf(() => read(text)).message).toContain("socket");
  });

  test("may mount what only looks like it", () => {
    const text = "profiles: { p: { mounts: [{ from: /srv/run, to: /x }, { from: /run/user/1000/app, to: /y }] } }";
    expect(read(text).mounts).toHaveLength(2);
  });

  test("of the example can be used", () => {
    const text = readFileSync(join(import.meta.dir, "../../../examples/container/profiles.yaml"), "utf8");
    expect(read(text, "build")).toMatchObject({ network: "bridge", user: "image", pids: 4096 });
    expect(read(text, "victoria").victoria_home).toBe("/srv/victoria");
  });

  test("are for the images they name", () => {
    const one = { images: ["ghcr.io/team/*", "localhost/bb:1"] } as const;
    const profile: Profile = { ...read("profiles: { p: {} }"), images: [...one.images] };
    expect(
      ["ghcr.io/team/app:1", "localhost/bb:1", "ghcr.io/other/app:1", "xlocalhost/bb:1"].map((image) =>
        allowsImage(profile, image),
      ),
    ).toEqual([true, true, false, false]);
  });
});
