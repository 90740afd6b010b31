import { z } from "zod";
import { anyObject, rowFields, str } from "./base.ts";

/** GET /v1/apps/{app}/config/{app_config}: what runners read of it (nuon-runner-api.md 2.15). */
export const componentConfigConnection = z.looseObject({
  component_id: str,
  terraform_module: z.looseObject({ version: str }).nullish(),
  helm: anyObject.nullish(),
});

export const appConfig = z.looseObject({
  ...rowFields,
  component_config_connections: z.array(componentConfigConnection).nullish(),
  sandbox: z.looseObject({ terraform_version: str }).nullish(),
});
export type AppConfig = z.infer<typeof appConfig>;
