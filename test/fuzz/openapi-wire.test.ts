import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { rawRequest } from "../lib/raw-http.ts";
import { startVictim, type Victim } from "./openapi-bed.ts";

let victim: Victim;
beforeAll(async () => {
  victim = await startVictim();
}, 30_000);
afterAll(() => victim.end(), 30_000);

const H = (line: string, ...headers: string[]) => [line, "Host: x", ...headers, "", ""].join("\r\n");
const JSON_TYPE = "Content-Type: application/json";
/** `KEY` becomes the admin key: what a stranger cannot even send is not worth much. */
const AUTH = "Authorization: Bearer KEY";
const JOBS = "POST /api/v1/jobs HTTP/1.1";

/** Bytes on a connection that no well-behaved client sends. */
const WIRE: Readonly<Record<string, string>> = {
  "a chunked body that ends in mid-chunk": `${H(JOBS, AUTH, JSON_TYPE, "Transfer-Encoding: chunked")}ff\r\n{"job"`,
  "a chunk size that is none": `${H(JOBS, AUTH, JSON_TYPE, "Transfer-Encoding: chunked")}zz\r\n{}\r\n0\r\n\r\n`,
  "a chunk of 2^64 bytes": `${H(JOBS, AUTH, JSON_TYPE, "Transfer-Encoding: chunked")}ffffffffffffffff\r\n{}\r\n0\r\n\r\n`,
  "a length and chunks together": `${H(JOBS, AUTH, JSON_TYPE, "Content-Length: 4", "Transfer-Encoding: chunked")}2\r\n{}\r\n0\r\n\r\n`,
  "two lengths": `${H(JOBS, AUTH, JSON_TYPE, "Content-Length: 2", "Content-Length: 40")}{}`,
  "a negative length": `${H(JOBS, AUTH, JSON_TYPE, "Content-Length: -1")}{}`,
  "a length of 2^64": `${H(JOBS, AUTH, JSON_TYPE, "Content-Length: 18446744073709551616")}{}`,
  "a length that is words": `${H(JOBS, AUTH, JSON_TYPE, "Content-Length: two")}{}`,
  "Expect: 100-continue with no body after it": H(
    JOBS,
    AUTH,
    JSON_TYPE,
    "Expect: 100-continue",
    "Content-Length: 1000",
  ),
  "an expectation nobody knows": `${H(JOBS, AUTH, JSON_TYPE, "Expect: tea", "Content-Length: 2")}{}`,
  "a header of 1 MiB": H("GET /api/v1/jobs HTTP/1.1", AUTH, `X-Long: ${"x".repeat(1024 * 1024)}`),
  "ten thousand headers": H(
    "GET /api/v1/jobs HTTP/1.1",
    AUTH,
    ...Array.from({ length: 10_000 }, (_, n) => `X-${n}: 1`),
  ),
  "a path of 1 MiB": H(`GET /api/v1/jobs/${"a".repeat(1024 * 1024)} HTTP/1.1`, AUTH),
  "a NUL in a header": H("GET /api/v1/jobs HTTP/1.1", AUTH, "X-Nul: a\0b"),
  "a NUL in the path": H("GET /api/v1/jobs/\0 HTTP/1.1", AUTH),
  "a header without a name": H("GET /api/v1/jobs HTTP/1.1", AUTH, ": x"),
  "folded headers": H("GET /api/v1/jobs HTTP/1.1", AUTH, "X-A: b", " c"),
  "line ends without CR": "GET /api/v1/jobs HTTP/1.1\nHost: x\nAuthorization: Bearer KEY\n\n",
  "no Host": "GET /api/v1/jobs HTTP/1.1\r\nAuthorization: Bearer KEY\r\n\r\n",
  "a Host that is none": "GET /api/v1/jobs HTTP/1.1\r\nHost: a b/c?%\r\nAuthorization: Bearer KEY\r\n\r\n",
  "a Host of another scheme": "GET /v1/capabilities HTTP/1.1\r\nHost: javascript:alert(1)\r\n\r\n",
  "two Hosts": H("GET /api/v1/jobs HTTP/1.1", AUTH, "Host: y"),
  "an absolute target": H("GET http://elsewhere.example/api/v1/jobs HTTP/1.1", AUTH),
  "a target without a slash": H("GET api/v1/jobs HTTP/1.1", AUTH),
  "a target of two slashes": H("GET //api/v1/jobs HTTP/1.1", AUTH),
  "an asterisk": H("OPTIONS * HTTP/1.1", AUTH),
  "HTTP 0.9": "GET /livez\r\n",
  "HTTP 1.0": "GET /livez HTTP/1.0\r\n\r\n",
  "HTTP 2 at once": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "a TLS greeting": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "an upgrade to h2c": H(
    "GET /livez HTTP/1.1",
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AA",
  ),
  "two keys": H("GET /api/v1/jobs HTTP/1.1", AUTH, "Authorization: Bearer other"),
  "a key with bytes beyond ASCII": H("GET /api/v1/jobs HTTP/1.1", "Authorization: Bearer \xff\xfe"),
  "Basic that is no base64": H("GET /v2/ HTTP/1.1", "Authorization: Basic %%%"),
  "Basic without a colon": H("GET /v2/ HTTP/1.1", `Authorization: Basic ${btoa("nobody")}`),
  "Basic with an epoch beyond numbers": H("GET /v2/ HTTP/1.1", `Authorization: Basic ${btoa("run1.1e400:x")}`),
};

describe("bytes that no client sends are refused or cut off, and the next request is served", () => {
  for (const [what, text] of Object.entries(WIRE)) {
    test(what, async () => {
      const bytes = Buffer.from(text.replace("KEY", victim.adminKey), "latin1");
      // What waits for more is not answered: that is the client's to end.
      const answer = await rawRequest(victim.control.url, bytes, { waitMs: 1_000 });
      if (typeof answer === "object") {
        expect({ what, status: answer.status, fine: answer.status < 500 || answer.status === 505 }).toEqual({
          what,
          status: answer.status,
          fine: true,
        });
        expect(answer.bytes.includes(victim.adminKey)).toBe(false);
      }
      expect((await fetch(`${victim.control.url}/readyz`)).status).toBe(200);
    }, 10_000);
  }
});

describe("many at once", () => {
  test("connections that say nothing, or half of something, keep nobody else out", async () => {
    const { port } = new URL(victim.control.url);
    const idle: Socket[] = [];
    for (let at = 0; at < 300; at++) {
      const socket = connect(Number(port), "127.0.0.1");
      socket.on("error", () => undefined);
      socket.on("connect", () => {
        if (at % 3 === 1) socket.write("POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-");
        if (at % 3 === 2) {
          const head = H(JOBS, `Authorization: Bearer ${victim.adminKey}`, JSON_TYPE, "Content-Length: 100000");
          socket.write(`${head}{"job":`);
        }
      });
      idle.push(socket);
    }
    await Bun.sleep(200);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => fetch(`${victim.control.url}/readyz`, { signal: AbortSignal.timeout(10_000) })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200));
    for (const socket of idle) socket.destroy();
  }, 20_000);

  test("clients that leave streams and uploads in the middle leave nothing open", async () => {
    const auth = { authorization: `Bearer ${victim.adminKey}` };
    const submit = await fetch(`${victim.control.url}/api/v1/jobs`, {
      method: "POST",
      headers: { ...auth, "content-type": "application/json" },
      body: JSON.stringify({ job: { type: "noop", requires: { labels: { none: "such" } } } }),
    });
    const { job } = (await submit.json()) as { job: string };
    const files = () => openFiles(victim.control.proc.pid);
    const before = files();
    for (let at = 0; at < 60; at++) {
      const path = ["/api/v1/events/stream", `/api/v1/jobs/${job}/logs/stream`, `/api/v1/jobs/${job}/logs`][at % 3];
      const stop = new AbortController();
      const answer = await fetch(victim.control.url + path, { headers: auth, signal: stop.signal });
      expect(answer.status).toBe(200);
      stop.abort();
      await rawRequest(
        victim.control.url,
        `${H(`PUT /api/v1/sources/blobs/sha256:${at.toString(16).padStart(64, "0")} HTTP/1.1`, `Authorization: Bearer ${victim.adminKey}`, "Content-Length: 1000000")}half`,
        { waitMs: 10 },
      );
    }
    const left = () => [...new Bun.Glob("**/incoming-*").scanSync(victim.bed.path("coordinator"))];
    for (let tries = 0; tries < 100 && (files() > before + 5 || left().length > 0); tries++) await Bun.sleep(100);
    expect(files()).toBeLessThanOrEqual(before + 5);
    expect(left()).toEqual([]);
  }, 60_000);
});

/** Descriptors of a process. */
function openFiles(pid: number): number {
  return [...new Bun.Glob("*").scanSync({ cwd: `/proc/${pid}/fd`, onlyFiles: false })].length;
}
