import { useEffect, useRef, useState } from "preact/hooks";
import { openStream, type StreamState } from "../../../kit/sse/stream.ts";
import type { RunnerError } from "../../../protocol/errors.ts";
import { type LogLine, logLine } from "../../../protocol/operator.ts";
import { paths } from "../api/operations.ts";
import { useSession } from "../context.ts";
import { createLogBuffer, type LogBuffer } from "./buffer.ts";

export interface LiveLog {
  readonly buffer: LogBuffer;
  /** Grows with each change of the buffer: the buffer itself is not a value that a view can compare. */
  readonly version: number;
  readonly state: StreamState;
  readonly error: RunnerError | null;
}

/** The log of a job or change from its beginning, growing as it is written. `ended`: nothing more will come. */
export function useLog(id: string, ended: boolean): LiveLog {
  const { api, live } = useSession();
  const [buffer] = useState(() => createLogBuffer());
  const [version, setVersion] = useState(0);
  const [status, setStatus] = useState<{ state: StreamState; error: RunnerError | null }>({
    state: "connecting",
    error: null,
  });
  const endedNow = useRef(ended);
  endedNow.current = ended;

  useEffect(() => {
    buffer.clear();
    let frame = 0;
    const show = () => {
      // Thousands of lines a second become one rendering per frame.
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        setVersion((n) => n + 1);
      });
    };
    const source = `log ${id}`;
    const stream = openStream({
      api,
      path: paths.logStream(id),
      lastId: "",
      endsOnClose: () => endedNow.current,
      onMessage(message) {
        const line = parseLine(message.data);
        if (line === null) return;
        buffer.append(line);
        show();
      },
      onState(state, error) {
        live.connection.report(source, state === "lost");
        setStatus({ state, error });
      },
    });
    const nudge = () => stream.nudge();
    window.addEventListener("online", nudge);
    return () => {
      window.removeEventListener("online", nudge);
      stream.close();
      cancelAnimationFrame(frame);
      live.connection.report(source, false);
    };
  }, [api, live, id, buffer]);

  return { buffer, version, ...status };
}

function parseLine(data: string): LogLine | null {
  try {
    const parsed = logLine.safeParse(JSON.parse(data));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
