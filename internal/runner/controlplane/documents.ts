import type { z } from "zod";
import type { Http } from "../../kit/http/http.ts";
import { actionRun, actionWorkflowConfig } from "../../protocol/nuon/actions.ts";
import { appConfig } from "../../protocol/nuon/app-config.ts";
import { RETRY } from "../../protocol/retry.ts";
import type { Documents } from "../handler.ts";

/** The baseline's documents, read one by one. Each throws the HttpFailure that ended its reading. */
export function baselineDocuments(http: Http): Documents {
  const get = async <T>(path: string, decode: z.ZodType<T>): Promise<T> => {
    const answer = await http.request({ method: "GET", path, rule: RETRY.fetch, decode });
    if (!answer.ok) throw answer.error;
    return answer.value.value;
  };
  const id = encodeURIComponent;
  return {
    actionRun: (installId, runId) => get(`/v1/installs/${id(installId)}/action-workflows/runs/${id(runId)}`, actionRun),
    actionConfig: (configId) => get(`/v1/action-workflows/configs/${id(configId)}`, actionWorkflowConfig),
    appConfig: (appId, configId) => get(`/v1/apps/${id(appId)}/config/${id(configId)}`, appConfig),
  };
}
