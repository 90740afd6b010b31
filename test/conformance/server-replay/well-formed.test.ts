import { expect, test } from "bun:test";
import type { Arrived } from "./replay.ts";
import { faultsOf } from "./well-formed.ts";

const headers = {
  accept: "application/json",
  authorization: "Bearer {runner_token}",
  "content-type": "application/json",
  "x-nuon-client-version": "runner:0.1.0",
};
const beat: Arrived = {
  method: "POST",
  path: "/v1/runners/run1/heart-beats",
  headers,
  body: Buffer.from('{"alive_time":1,"version":"0.1.0"}\n'),
  played: null,
};

test("a proper request has no fault", () => {
  expect(faultsOf(beat)).toEqual([]);
});

test("a request without our version, or with an org, is found", () => {
  const { "x-nuon-client-version": _, ...unnamed } = headers;
  expect(faultsOf({ ...beat, headers: unnamed })).toHaveLength(1);
  expect(faultsOf({ ...beat, headers: { ...headers, "x-nuon-org-id": "org1" } })).toHaveLength(1);
});

test("a route, a query key, a body key and a body that the server does not know are found", () => {
  const wrong = [
    { path: "/v1/runners/run1/events" },
    { path: "/v1/runners/run1/heart-beats?force=1" },
    { body: Buffer.from('{"alive_time":1,"mode":"install"}') },
    { body: Buffer.from("{") },
    { body: Buffer.from("") },
    { headers: { ...headers, authorization: "Basic x" } },
    { headers: { ...headers, "content-encoding": "gzip" } },
  ];
  for (const one of wrong) expect(faultsOf({ ...beat, ...one })).not.toEqual([]);
});
