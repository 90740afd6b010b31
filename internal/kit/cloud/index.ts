/** Credentials of the clouds, made in this process for one job; each SDK is loaded when it is first needed. */
export { type AwsKeys, type AwsPlace, assume, awsCredentials, regionOf } from "./aws-credentials.ts";
export { azureToken } from "./azure-token.ts";
export { eksToken } from "./eks-token.ts";
export { gcpToken } from "./gcp-token.ts";
export { type Cloud, findCloud, machineProof } from "./machine-identity.ts";
export { cloudOf, type LoginPlace, registryLogin } from "./registry-login.ts";
export { type Expiring, type Renewed, renewed } from "./renewed.ts";
