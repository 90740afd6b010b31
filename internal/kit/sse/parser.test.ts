import { describe, expect, test } from "bun:test";
import { createSseParser, type SseMessage } from "./parser.ts";

const STREAM =
  ': hello\r\n\r\nid: 7\r\nevent: log\r\ndata: {"a":1}\r\n\r\ndata: one\ndata: two\n\ndata:tight\rid: 8\r\rid: 9\nevent: none\n\ndata\n\n';
const EXPECTED: SseMessage[] = [
  { id: "7", event: "log", data: '{"a":1}' },
  { id: "7", event: "message", data: "one\ntwo" },
  { id: "8", event: "message", data: "tight" },
  { id: "9", event: "message", data: "" },
];

function parse(chunks: readonly string[]): SseMessage[] {
  const messages: SseMessage[] = [];
  const parser = createSseParser((message) => messages.push(message));
  for (const chunk of chunks) parser.push(chunk);
  return messages;
}

describe("server-sent events", () => {
  test("ids, event names, multi-line data, comments and all three line ends are read", () => {
    expect(parse([STREAM])).toEqual(EXPECTED);
  });

  test("the stream may be cut at every place", () => {
    for (let at = 0; at <= STREAM.length; at++)
      expect(parse([STREAM.slice(0, at), STREAM.slice(at)])).toEqual(EXPECTED);
    expect(parse([...STREAM])).toEqual(EXPECTED);
  });

  test("a message that the connection cut off is not delivered", () => {
    expect(parse(["id: 1\ndata: whole\n\nid: 2\ndata: ha"])).toEqual([{ id: "1", event: "message", data: "whole" }]);
  });
});
