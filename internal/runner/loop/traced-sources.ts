import { safeUrl } from "../../kit/http/failure.ts";
import type { SourceFetcher, SourceScope } from "../handler.ts";
import type { JobTraces } from "./job-trace.ts";

type Sources = (scope: SourceScope) => SourceFetcher;

/** Every fetch of a source is a span of its job's trace. Why one fails is said by the job's own end, redacted. */
export function tracedSources(sources: Sources, traces: JobTraces): Sources {
  return (scope) => {
    const fetcher = sources(scope);
    const told = async <T>(name: string, facts: Record<string, string>, work: () => Promise<T>): Promise<T> => {
      const end = traces.fetching(scope.executionId, name, facts);
      try {
        const value = await work();
        end(null);
        return value;
      } catch (cause) {
        end("the source could not be fetched");
        throw cause;
      }
    };
    return {
      oci: (source, into) => told("oci pull", { "source.tag": source.tag }, () => fetcher.oci(source, into)),
      git: (source, into) => {
        const facts = { "url.full": safeUrl(source.url), "source.ref": source.ref };
        return told("git checkout", facts, () => fetcher.git(source, into));
      },
    };
  };
}
