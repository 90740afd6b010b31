import { useState } from "preact/hooks";
import { z } from "zod";
import { numberedLine } from "../../../protocol/operator.ts";
import { paths } from "../api/operations.ts";
import { useSession } from "../context.ts";
import { createLogBuffer, type LogBuffer } from "./buffer.ts";

/** Lines read around the wanted one. */
const AROUND = 1_000;
const numberedLines = z.array(numberedLine);

export interface Part {
  /** An older part of the log that is shown in place of the newest one; null: the newest one is. */
  readonly buffer: LogBuffer | null;
  /** Reads the part around a line; true when it is there. */
  read(line: number): Promise<boolean>;
  leave(): void;
}

/** Lines that the browser no longer keeps, read again from the coordinator. */
export function usePart(id: string): Part {
  const { api, announce } = useSession();
  const [buffer, setBuffer] = useState<LogBuffer | null>(null);
  return {
    buffer,
    async read(line) {
      const from = Math.max(1, line - AROUND);
      const answer = await api.get(paths.logLines(id, from, 2 * AROUND), numberedLines);
      if (!answer.ok) {
        announce(`These lines could not be read. ${answer.error.message}`);
        return false;
      }
      const part = createLogBuffer({ before: from - 1 });
      for (const { number: _, ...one } of answer.value) part.append(one);
      setBuffer(part);
      return part.lines >= line;
    },
    leave: () => setBuffer(null),
  };
}
