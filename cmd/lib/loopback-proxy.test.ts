import { describe, expect, test } from "bun:test";
import { proxied } from "./doctor/proxies.ts";
import { exemptLoopback } from "./loopback-proxy.ts";

describe("this machine itself is never reached through a proxy", () => {
  test.each([
    ["nothing is changed without a proxy", { NO_PROXY: "a.example" }, { NO_PROXY: "a.example" }],
    ["with a proxy", { HTTP_PROXY: "p" }, { HTTP_PROXY: "p", NO_PROXY: "localhost,127.0.0.1,::1" }],
    [
      "in the spelling that is there, after what is there, and nothing twice",
      { https_proxy: "p", no_proxy: "a.example,localhost" },
      { https_proxy: "p", no_proxy: "a.example,localhost,127.0.0.1,::1" },
    ],
    ["when everything is exempt already", { HTTPS_PROXY: "p", NO_PROXY: "*" }, { HTTPS_PROXY: "p", NO_PROXY: "*" }],
    ["an empty variable is none", { HTTP_PROXY: "", NO_PROXY: "" }, { HTTP_PROXY: "", NO_PROXY: "" }],
  ])("%s", (_, before, after) => {
    const env: Record<string, string | undefined> = { ...before };
    exemptLoopback(env);
    expect(env).toEqual(after);
  });
});

test.each([
  ["https://a.example", { HTTPS_PROXY: "p" }, true],
  ["http://a.example", { HTTPS_PROXY: "p" }, false],
  ["https://a.example", { HTTPS_PROXY: "p", NO_PROXY: "b.example, A.example" }, false],
  ["https://in.a.example", { https_proxy: "p", no_proxy: ".a.example" }, false],
  ["https://other-a.example", { https_proxy: "p", no_proxy: "a.example" }, true],
  ["https://[::1]:8", { HTTPS_PROXY: "p", NO_PROXY: "::1" }, false],
  ["https://a.example", { HTTPS_PROXY: "p", NO_PROXY: "*" }, false],
])("whether %s with %p goes through a proxy: %p", (url, env, expected) => {
  expect(proxied(env, new URL(url))).toBe(expected);
});
