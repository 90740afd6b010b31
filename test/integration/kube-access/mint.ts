import { azureToken, gcpToken } from "../../../internal/kit/cloud/index.ts";

/** Mints one token in a process of its own, because the SDKs of Azure and Google read their environment by themselves. */
const minted = process.argv[2] === "azure" ? azureToken({ use_default: true }) : gcpToken({ use_default: true });
const { value, untilMs } = await minted();
process.stdout.write(JSON.stringify({ value, untilMs }));
