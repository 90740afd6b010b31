/** One message of a server-sent event stream. `id` is the last id seen so far, as the standard has it. */
export interface SseMessage {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/**
 * Parser of `text/event-stream` for streams read with fetch: an EventSource cannot send an Authorization header, and a
 * key in a URL ends up in logs. Chunks may be cut anywhere, between `\r` and `\n` too.
 */
export function createSseParser(emit: (message: SseMessage) => void): { push(chunk: string): void } {
  let rest = "";
  let id = "";
  let event = "";
  let data: string[] = [];
  let endedInCr = false;

  const dispatch = () => {
    if (data.length > 0) emit({ id, event: event || "message", data: data.join("\n") });
    event = "";
    data = [];
  };

  const line = (text: string) => {
    if (text === "") return dispatch();
    const colon = text.indexOf(":");
    if (colon === 0) return; // a comment: the server's sign of life
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(text[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") data.push(value);
    else if (field === "event") event = value;
    else if (field === "id" && !value.includes("\0")) id = value;
  };

  return {
    push(chunk) {
      if (chunk === "") return;
      const text = endedInCr && chunk.startsWith("\n") ? chunk.slice(1) : chunk;
      endedInCr = chunk.endsWith("\r");
      const lines = (rest + text).split(/\r\n|\n|\r/);
      rest = lines.pop() ?? "";
      for (const one of lines) line(one);
    },
  };
}
