/** Whether the standard variables ask for anything: asked before any of the exporter is loaded. */
export function otelWanted(env: Readonly<Record<string, string | undefined>>): boolean {
  if ((env.OTEL_SDK_DISABLED ?? "").trim().toLowerCase() === "true") return false;
  const endpoints = ["", "_TRACES", "_METRICS"].map((signal) => env[`OTEL_EXPORTER_OTLP${signal}_ENDPOINT`]);
  const exporters = [env.OTEL_TRACES_EXPORTER, env.OTEL_METRICS_EXPORTER];
  return endpoints.some((one) => one?.trim()) || exporters.some((one) => one?.trim() === "otlp");
}
