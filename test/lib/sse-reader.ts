import { createSseParser, type SseMessage } from "../../internal/kit/sse/parser.ts";

/** Reads server-sent events one by one. */
export interface SseReader {
  /** The next message, null at the end of the stream. */
  next(): Promise<SseMessage | null>;
  all(): Promise<SseMessage[]>;
  close(): Promise<void>;
}

export function readSse(response: Response): SseReader {
  const reader = response.body?.getReader();
  if (response.status !== 200 || reader === undefined) throw new Error(`not a stream: ${response.status}`);
  const waiting: SseMessage[] = [];
  const decoder = new TextDecoder();
  const parser = createSseParser((message) => waiting.push(message));
  const next = async (): Promise<SseMessage | null> => {
    for (;;) {
      const message = waiting.shift();
      if (message !== undefined) return message;
      const chunk = await reader.read();
      if (chunk.done) return null;
      parser.push(decoder.decode(chunk.value, { stream: true }));
    }
  };
  return {
    next,
    all: async () => {
      const messages: SseMessage[] = [];
      for (let message = await next(); message !== null; message = await next()) messages.push(message);
      return messages;
    },
    close: () => reader.cancel(),
  };
}
