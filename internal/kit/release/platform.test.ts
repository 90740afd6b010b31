import { describe, expect, test } from "bun:test";
import type { ReleaseArtifact, ReleaseManifest } from "./manifest.ts";
import { artifactFor, detectPlatform, type Machine } from "./platform.ts";
import type { Release } from "./verify.ts";

const machine = (os: string, arch: string, files: Readonly<Record<string, string>>): Machine => ({
  os,
  arch,
  exists: (path) => path in files,
  read: (path) => {
    const text = files[path];
    if (text === undefined) throw new Error("ENOENT");
    return text;
  },
});

const GLIBC = { "/lib64/ld-linux-x86-64.so.2": "" };
const MUSL = { "/lib/ld-musl-x86_64.so.1": "" };
const AVX2 = { "/proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu avx avx2 bmi2\n" };
const NO_AVX2 = { "/proc/cpuinfo": "flags\t\t: fpu avx\nbugs\t\t: avx2_gather\n" };
const ALL: readonly string[] = [
  "linux-x64",
  "linux-x64-baseline",
  "linux-x64-musl",
  "linux-arm64",
  "linux-arm64-musl",
  "darwin-arm64",
  "darwin-x64",
];

function releaseWith(targets: readonly string[]): Release {
  const artifacts = targets.map((name) => {
    const [os, arch, variant = ""] = name.split("-");
    return { file: name, os, arch, variant, size: 1, sha256: "" } as ReleaseArtifact;
  });
  const source = { place: "here", open: () => Promise.reject(new Error("not read")), below: () => source };
  const manifest = {
    schema: 1 as const,
    version: "1",
    commit: "",
    made: "",
    artifacts,
    tools: [],
  } satisfies ReleaseManifest;
  return { version: "1", manifest, sums: new Map(), sumsSha256: "", source, fingerprint: "" };
}

describe("the program for a machine", () => {
  const cases: readonly (readonly [string, Machine, string])[] = [
    ["Debian on a new x64", machine("linux", "x64", { ...GLIBC, ...AVX2 }), "linux-x64"],
    ["Debian on an x64 without AVX2", machine("linux", "x64", { ...GLIBC, ...NO_AVX2 }), "linux-x64-baseline"],
    ["an x64 that does not tell its flags", machine("linux", "x64", GLIBC), "linux-x64-baseline"],
    ["Debian with its musl package", machine("linux", "x64", { ...GLIBC, ...MUSL, ...AVX2 }), "linux-x64"],
    ["Alpine", machine("linux", "x64", { ...MUSL, ...AVX2 }), "linux-x64-musl"],
    ["Alpine without AVX2", machine("linux", "x64", { ...MUSL, ...NO_AVX2 }), "linux-x64-musl"],
    [
      "Alpine with its glibc layer",
      machine("linux", "x64", { ...MUSL, ...GLIBC, ...AVX2, "/etc/alpine-release": "3.20" }),
      "linux-x64-musl",
    ],
    ["Debian on arm64", machine("linux", "arm64", { "/lib/ld-linux-aarch64.so.1": "" }), "linux-arm64"],
    ["Alpine on arm64", machine("linux", "arm64", { "/lib/ld-musl-aarch64.so.1": "" }), "linux-arm64-musl"],
    ["a Mac with Apple's processor", machine("darwin", "arm64", {}), "darwin-arm64"],
    ["a Mac with Intel's", machine("darwin", "x64", {}), "darwin-x64"],
  ];
  for (const [where, here, target] of cases) {
    test(`${where}: ${target}`, () => {
      const found = artifactFor(releaseWith(ALL), detectPlatform(here));
      expect(found.ok && found.value.file).toBe(target);
    });
  }

  test("with AVX2 is the one without, when the release has no other", () => {
    const found = artifactFor(
      releaseWith(["linux-x64-baseline"]),
      detectPlatform(machine("linux", "x64", { ...GLIBC, ...AVX2 })),
    );
    expect(found.ok && found.value.file).toBe("linux-x64-baseline");
  });

  for (const [where, here] of [
    ["OpenBSD", machine("openbsd", "x64", {})],
    ["Debian on RISC-V", machine("linux", "riscv64", {})],
    [
      "an x64 without AVX2, the release having only the build that may need it",
      machine("linux", "x64", { ...GLIBC, ...NO_AVX2 }),
    ],
  ] as const) {
    test(`${where}: there is none, and never one of another kind`, () => {
      expect(artifactFor(releaseWith(["linux-x64", "linux-arm64"]), detectPlatform(here)).ok).toBe(false);
    });
  }

  test("that runs this test is among those of a release", () => {
    expect(artifactFor(releaseWith(ALL), detectPlatform()).ok).toBe(true);
  });
});
