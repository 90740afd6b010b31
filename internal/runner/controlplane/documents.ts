import type { HttpFailure } from "../../kit/http/failure.ts";
import type { Http, HttpAnswer } from "../../kit/http/http.ts";
import type { Result } from "../../protocol/errors.ts";
import type { Documents } from "../handler.ts";
import { createNuonClient } from "./nuon/client.ts";

/** The baseline's documents, read one by one. Each throws the HttpFailure that ended its reading. */
export function baselineDocuments(http: Http): Documents {
  const api = createNuonClient(http);
  return {
    actionRun: async (install_id, run_id) =>
      answered(await api.call("GetInstallActionWorkflowRun", { path: { install_id, run_id } })),
    actionConfig: async (action_workflow_config_id) =>
      answered(await api.call("GetActionWorkflowConfig", { path: { action_workflow_config_id } })),
    appConfig: async (app_id, app_config_id) =>
      answered(await api.call("GetRunnerAppConfig", { path: { app_id, app_config_id } })),
  };
}

function answered<T>(answer: Result<HttpAnswer<T>, HttpFailure>): T {
  if (!answer.ok) throw answer.error;
  return answer.value.value;
}
