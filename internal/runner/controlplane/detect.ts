import { createHttp, type HttpOptions } from "../../kit/http/http.ts";
import { fail, ok, type Result, RunnerError } from "../../protocol/errors.ts";
import { capabilities, EXTENSION_VERSION } from "../../protocol/native.ts";
import { RETRY, type RetryRule } from "../../protocol/retry.ts";

/**
 * Which dialect the server at `baseUrl` speaks: our coordinator announces itself at `/v1/capabilities`, a Nuon server
 * does not know that path. Waits by `rule` while the server is away, but not for a certificate that is not trusted. An
 * error when it answers as neither.
 */
export async function detectDialect(
  options: Pick<HttpOptions, "baseUrl" | "ca" | "clock" | "fetch" | "random" | "log">,
  signal: AbortSignal,
  rule: RetryRule = RETRY.connect,
): Promise<Result<"native" | "nuon">> {
  const http = createHttp({ ...options, endOnDistrust: true });
  const path = "/v1/capabilities";
  const answer = await http.request({ method: "GET", path, rule, decode: capabilities, signal });
  if (answer.ok) {
    const { extension, version } = answer.value.value;
    if (extension === EXTENSION_VERSION) return ok("native");
    const message = `the coordinator (${version}) speaks extension ${extension}, this runner ${EXTENSION_VERSION}`;
    return fail(new RunnerError("protocol", message, { remedy: "Update the older one of the two." }));
  }
  // A Nuon server knows no such path; one behind a gate may ask for a token first.
  const { status } = answer.error;
  return status === 404 || status === 401 || status === 403 ? ok("nuon") : answer;
}
