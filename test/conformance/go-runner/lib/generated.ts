/** What the generated client made of an answer. */
export interface GeneratedAnswer {
  /** 0: none, or one that it could not read. */
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: documents of a test, looked into field by field
  readonly payload: any;
  /** Of any outcome but the one success status of the operation. */
  readonly error: string | null;
  /** What its model says against the payload (the SDK itself does not ask it). */
  readonly invalid: string | null;
}

export interface GeneratedClient {
  /** Parameters by their names on the wire; `body` for the document. */
  call(operation: string, params?: Readonly<Record<string, unknown>>): Promise<GeneratedAnswer>;
  /** Records by OpenTelemetry's own exporter for Go; its complaint, or null. */
  log(stream: string, records: readonly LogRecord[]): Promise<string | null>;
  close(): void;
}

interface LogRecord {
  readonly text: string;
  /** OTLP's number. */
  readonly severity: number;
  readonly attributes: Readonly<Record<string, string>>;
}

/** The client that go-swagger makes of Nuon's document, as a process: see test/bed/go/nuon-client. */
export function generatedClient(
  program: string,
  url: string,
  token: string,
  caFile: string | null = null,
): GeneratedClient {
  const env = { ...process.env, ...(caFile === null ? {} : { SSL_CERT_FILE: caFile }) };
  const child = Bun.spawn([program, url], { env, stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const waiting: ((line: string) => void)[] = [];
  void (async () => {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) waiting.shift()?.(line);
    }
  })();
  const ask = async (order: object) => {
    const line = new Promise<string>((resolve) => waiting.push(resolve));
    child.stdin.write(`${JSON.stringify({ token, ...order })}\n`);
    child.stdin.flush();
    const answer = JSON.parse(await line);
    return { status: 0, payload: null, error: null, invalid: null, ...answer } as GeneratedAnswer;
  };
  return {
    call: (operation, params = {}) =>
      ask({
        op: operation,
        params: Object.fromEntries(Object.entries(params).map(([key, value]) => [key.replaceAll("_", ""), value])),
      }),
    log: async (stream, records) => (await ask({ op: "log", stream, records })).error,
    close: () => child.kill(),
  };
}
