import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RunnerError } from "../../protocol/errors.ts";
import type { Clock } from "../base/clock.ts";
import { MANIFEST_TYPE, type PackedFolder, packFolder } from "../workspace/index.ts";
import { type ArtifactSource, artifactSource, pullArtifact } from "./index.ts";

type Answer = (request: Request, url: URL) => Response | Promise<Response> | undefined;

let base: string;
let packed: PackedFolder;
const blobs = new Map<string, Uint8Array<ArrayBuffer>>();
/** What the registry does before its usual answer; each request is noted with its Authorization. */
let before: Answer = () => undefined;
let requests: { path: string; authorization: string | null; range: string | null }[] = [];
let stored: { reference: string; bytes: Uint8Array<ArrayBuffer>; type: string }[] = [];
let server: ReturnType<typeof Bun.serve>;
let elsewhere: ReturnType<typeof Bun.serve>;
let elsewhereSaw: (string | null)[] = [];

async function registry(request: Request): Promise<Response> {
  const url = new URL(request.url);
  const { headers } = request;
  requests.push({ path: url.pathname, authorization: headers.get("authorization"), range: headers.get("range") });
  const first = await before(request, url);
  if (first) return first;
  const [, kind, name] = /^\/v2\/team\/app\/(manifests|blobs)\/(.+)$/.exec(url.pathname) ?? [];
  if (kind === "manifests") {
    const found = stored.find((entry) => entry.reference === name);
    return found
      ? new Response(found.bytes, { headers: { "content-type": found.type } })
      : new Response("", { status: 404 });
  }
  const blob = blobs.get(name ?? "");
  return blob ? new Response(blob) : new Response("{}", { status: url.pathname === "/v2/" ? 200 : 404 });
}

beforeAll(() => {
  server = Bun.serve({ hostname: "127.0.0.1", port: 0, development: false, fetch: registry });
  elsewhere = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      elsewhereSaw.push(request.headers.get("authorization"));
      return new Response(blobs.get(new URL(request.url).pathname.slice(1)) ?? "");
    },
  });
});
afterAll(async () => {
  await server.stop(true);
  await elsewhere.stop(true);
});
beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), "oci-"));
  await Bun.write(join(base, "src/main.tf"), "resource {}\n");
  await Bun.write(
    join(base, "src/big.bin"),
    new Uint8Array(300_000).map((_, i) => i * 7),
  );
  packed = await packFolder(join(base, "src"));
  blobs.clear();
  for (const blob of packed.blobs)
    blobs.set(blob.digest, new Uint8Array(await new Response(blob.open()).arrayBuffer()));
  stored = ["v1", packed.digest].map((reference) => ({ reference, bytes: packed.manifest, type: MANIFEST_TYPE }));
  requests = [];
  elsewhereSaw = [];
  before = () => undefined;
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const slept: number[] = [];
const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (ms) => void slept.push(ms),
};
const source = (more: Partial<ArtifactSource> = {}): ArtifactSource => ({
  scheme: "http",
  host: `127.0.0.1:${server.port}`,
  repository: "team/app",
  reference: "v1",
  credentials: null,
  ...more,
});
const pull = (more: Partial<ArtifactSource> = {}) => pullArtifact(source(more), join(base, "dst"), { clock });
const login = { username: "user", password: "pa:ss" };
const basic = `Basic ${btoa("user:pa:ss")}`;
const pulledFile = () => readFileSync(join(base, "dst/main.tf"), "utf8");

async function refusal(work: Promise<unknown>): Promise<RunnerError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof RunnerError) return error;
    throw error;
  }
  throw new Error("it was pulled");
}

describe("pulling an artifact", () => {
  test("gives the folder that was packed, by tag and by digest", async () => {
    expect(await pull()).toEqual({ digest: packed.digest, files: 2, bytes: 300_012 });
    expect((await packFolder(join(base, "dst"))).digest).toBe(packed.digest);
    await pull({ reference: packed.digest });
  });

  test("speaks plain HTTP to a loopback registry that has no TLS, and only there", async () => {
    await pull({ scheme: null });
    expect(pulledFile()).toBe("resource {}\n");
    const far = source({ scheme: null, host: "registry.example.test" });
    const urls: string[] = [];
    const refuse = async (url: string) => {
      urls.push(url);
      throw new Error("no route");
    };
    const rule = { tries: 2, base_ms: 1, cap_ms: 1, timeout_ms: 100 };
    expect((await refusal(pullArtifact(far, join(base, "dst"), { clock, fetch: refuse, rule }))).kind).toBe(
      "unreachable",
    );
    expect(urls.map((url) => new URL(url).protocol)).toEqual(["https:", "https:"]);
  });

  test("rides out 500, 429 with Retry-After, and a cut connection", async () => {
    slept.length = 0;
    let bad = 0;
    before = (_, url) => {
      if (!url.pathname.includes("/blobs/") || ++bad > 2) return undefined;
      return bad === 1
        ? new Response("<html>", { status: 500 })
        : new Response("", { status: 429, headers: { "retry-after": "7" } });
    };
    await pull();
    expect(pulledFile()).toBe("resource {}\n");
    expect(slept.some((ms) => ms >= 7_000)).toBeTrue();
  });

  test.each([206, 200])("goes on where a download broke off (server answers %d)", async (status) => {
    const big = [...blobs].find(([, bytes]) => bytes.length === 300_000);
    if (!big) throw new Error("no big blob");
    before = (request, url) => {
      if (!url.pathname.endsWith(big[0])) return undefined;
      const from = Number(/bytes=(\d+)-/.exec(request.headers.get("range") ?? "")?.[1] ?? -1);
      if (from === -1) {
        let sent = false;
        return new Response(
          new ReadableStream({
            async pull(controller) {
              if (sent) return controller.error(new Error("cut"));
              sent = true;
              controller.enqueue(big[1].subarray(0, 100_000));
              await Bun.sleep(20);
            },
          }),
        );
      }
      return status === 206 ? new Response(big[1].subarray(from), { status }) : new Response(big[1]);
    };
    await pull();
    expect(new Uint8Array(readFileSync(join(base, "dst/big.bin")))).toEqual(big[1]);
    expect(requests.some((request) => request.range !== null)).toBeTrue();
  });

  test("follows an index of one manifest and refuses one of several", async () => {
    const index = (count: number) =>
      new TextEncoder().encode(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: "application/vnd.oci.image.index.v1+json",
          manifests: Array.from({ length: count }, () => ({
            mediaType: MANIFEST_TYPE,
            digest: packed.digest,
            size: 1,
          })),
        }),
      );
    const type = "application/vnd.oci.image.index.v1+json";
    stored.push({ reference: "one", bytes: index(1), type }, { reference: "two", bytes: index(2), type });
    expect((await pull({ reference: "one" })).digest).toBe(packed.digest);
    expect((await refusal(pull({ reference: "two" }))).message).toContain("2 manifests");
  });
});

describe("credentials", () => {
  const guard =
    (challenge: string, wanted: string): Answer =>
    (request) =>
      request.headers.get("authorization") === wanted
        ? undefined
        : new Response("", { status: 401, headers: { "www-authenticate": challenge } });

  test("are sent as Basic, and only after the registry asked for them", async () => {
    before = guard(`Basic realm="registry"`, basic);
    await pull({ credentials: login });
    expect(requests[0]?.authorization).toBeNull();
    expect(requests.filter((request) => request.authorization === null)).toHaveLength(1);
  });

  test("are exchanged for a token when the registry asks for a Bearer", async () => {
    let asked = "";
    before = (request, url) => {
      if (url.pathname === "/token") {
        asked = `${url.search} ${request.headers.get("authorization")}`;
        return Response.json({ token: "abc" });
      }
      const challenge = `Bearer realm="http://127.0.0.1:${server.port}/token",service="reg",scope="repository:team/app:pull"`;
      return guard(challenge, "Bearer abc")(request, url);
    };
    await pull({ credentials: login });
    expect(asked).toBe(`?service=reg&scope=repository%3Ateam%2Fapp%3Apull ${basic}`);
    await pull();
    expect(asked).toEndWith(" null");
  });

  test("do not follow a redirect to another origin", async () => {
    before = (request, url) =>
      guard("Basic", basic)(request, url) ??
      (url.pathname.includes("/blobs/")
        ? Response.redirect(`http://127.0.0.1:${elsewhere.port}/${url.pathname.split("/").pop()}`, 307)
        : undefined);
    await pull({ credentials: login });
    expect(pulledFile()).toBe("resource {}\n");
    expect(elsewhereSaw).toEqual([null, null]);
  });

  test("that are wrong or missing are said so without showing them", async () => {
    before = guard(`Basic realm="r"`, "never");
    const wrong = await refusal(pull({ credentials: login }));
    expect(wrong.kind).toBe("refused");
    expect(`${wrong.message} ${wrong.remedy}`).not.toContain("pa:ss");
    expect((await refusal(pull())).message).toContain("wants a user name");
  });
});

describe("a pull is refused", () => {
  test("when a blob is not what its digest says", async () => {
    const [digest, bytes] = [...blobs].find(([, content]) => content.length === 12) ?? [];
    if (!digest || !bytes) throw new Error("no blob");
    blobs.set(
      digest,
      bytes.map((byte) => byte ^ 1),
    );
    expect((await refusal(pull())).message).toContain("does not match its digest");
  });

  test("when the manifest is not what its digest says", async () => {
    before = (_, url) =>
      url.pathname.includes("/manifests/") ? new Response(packed.manifest.slice(0, -1)) : undefined;
    expect((await refusal(pull({ reference: packed.digest }))).message).toContain("does not match its digest");
  });

  test("when a blob ends early each time, with the file and without what was written", async () => {
    before = (_, url) => (url.pathname.includes("/blobs/") ? new Response("short") : undefined);
    const { kind, message } = await refusal(pull());
    expect([kind, message]).toEqual(["protocol", expect.stringMatching(/content of "\S+" does not match its digest/)]);
    expect(existsSync(join(base, "dst"))).toBe(false);
  });

  test("when the manifest has no end", async () => {
    let sent = 0;
    const endless = () =>
      new ReadableStream<Uint8Array>({
        pull(controller) {
          sent += 1_048_576;
          controller.enqueue(new Uint8Array(1_048_576).fill(32));
        },
      });
    before = (_, url) => (url.pathname.includes("/manifests/") ? new Response(endless()) : undefined);
    expect((await refusal(pull())).message).toContain("a manifest of more than 16777216 bytes");
    expect(sent).toBeLessThan(64 * 1_048_576);
  });

  test("when the registry asks for a login again and again", async () => {
    before = () => new Response("", { status: 401, headers: { "www-authenticate": 'Basic realm="r"' } });
    const error = await refusal(pull({ credentials: login }));
    expect([error.kind, requests.length]).toEqual(["refused", 2]);
  });

  test("when it redirects in a circle, or to something that is no web address", async () => {
    before = (_, url) => Response.redirect(url.href, 302);
    expect((await refusal(pull())).message).toContain("redirects too often");
    for (const location of ["file:///etc/passwd", "data:text/plain,{}", "https://"]) {
      before = () => new Response(null, { status: 302, headers: { location } });
      expect((await refusal(pull())).message).toContain("no web address");
    }
  });

  test("when the tag does not exist, or a web page answers", async () => {
    expect((await refusal(pull({ reference: "v9" }))).message).toContain(":v9 does not exist");
    before = () => new Response("<html>hello</html>");
    expect((await refusal(pull())).message).toContain("not JSON");
  });

  test.skipIf(!Bun.which("openssl"))(
    "when the server's certificate is not trusted, at once and with the remedy; a given CA is enough",
    async () => {
      const [key, cert] = [join(base, "key.pem"), join(base, "cert.pem")];
      const made = Bun.spawnSync(
        [
          "openssl",
          "req",
          "-x509",
          "-newkey",
          "ec",
          "-pkeyopt",
          "ec_paramgen_curve:P-256",
          "-nodes",
          "-days",
          "2",
        ].concat(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert]),
      );
      expect(made.exitCode).toBe(0);
      const tls = { key: Bun.file(key), cert: Bun.file(cert) };
      const secure = Bun.serve({ hostname: "127.0.0.1", port: 0, tls, fetch: registry });
      try {
        const host = `127.0.0.1:${secure.port}`;
        slept.length = 0;
        const error = await refusal(pull({ scheme: null, host }));
        expect(error.message).toContain("not trusted");
        expect(error.remedy).toContain("--ca-file");
        expect(slept).toBeEmpty();
        const ca = readFileSync(cert, "utf8");
        await pullArtifact(source({ scheme: null, host }), join(base, "dst"), { clock, ca });
        expect(pulledFile()).toBe("resource {}\n");
      } finally {
        await secure.stop(true);
      }
    },
  );

  test("when it is stopped", async () => {
    const stop = new AbortController();
    before = () => {
      stop.abort();
      return new Response("", { status: 500 });
    };
    const error = await refusal(pullArtifact(source(), join(base, "dst"), { clock, signal: stop.signal }));
    expect(error.kind).toBe("cancelled");
    expect(existsSync(join(base, "dst"))).toBeFalse();
  });
});

describe("the registry block of a plan", () => {
  const place = (block: Record<string, unknown>) => {
    const { scheme, host, repository } = artifactSource(block, "v1");
    return `${scheme ?? ""}|${host}|${repository}`;
  };

  test.each([
    [{ Repository: "team/app", LoginServer: "reg.example.test" }, "|reg.example.test|team/app"],
    [{ Repository: "reg.example.test/team/app", LoginServer: "reg.example.test" }, "|reg.example.test|team/app"],
    [{ Repository: "team/app", LoginServer: "https://reg.example.test:5000/" }, "https|reg.example.test:5000|team/app"],
    [{ Repository: "127.0.0.1:81/app", LoginServer: "http://127.0.0.1:81" }, "http|127.0.0.1:81|app"],
    [{ Repository: "http://127.0.0.1:81/app" }, "http|127.0.0.1:81|app"],
    [{ Repository: "localhost/app", RegistryType: "public_oci" }, "|localhost|app"],
    [{ Repository: "[::1]:81/app", RegistryType: "private_oci" }, "|[::1]:81|app"],
  ])("%j is read as %s", (block, expected) => {
    expect(place(block)).toBe(expected);
  });

  test("of a cloud registry is read as any other, for its login was made before; nonsense is named", () => {
    for (const RegistryType of ["ecr", "acr"]) {
      expect(place({ RegistryType, Repository: "app", LoginServer: "https://a.test" })).toBe("https|a.test|app");
    }
    expect(() => place({ Repository: "app" })).toThrow("no registry server");
    expect(() => place({ Repository: "../x", LoginServer: "a.test" })).toThrow("repository");
    expect(() => place({ Repository: "app", LoginServer: "a.test/x?y" })).toThrow("registry server");
    expect(() => place({ RegistryType: "quay" })).toThrow("unknown");
    expect(() => artifactSource({ Repository: "app", LoginServer: "a.test" }, "../x")).toThrow("tag");
  });

  test("gives no credentials when the login is empty", () => {
    const block = { Repository: "app", LoginServer: "a.test" };
    expect(artifactSource({ ...block, OCIAuth: { Username: "", Password: "" } }, "v1").credentials).toBeNull();
    expect(artifactSource({ ...block, OCIAuth: { Username: "u", Password: "p" } }, "v1").credentials).toEqual({
      username: "u",
      password: "p",
    });
  });
});
