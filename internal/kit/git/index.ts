/** Git sources by the system's git program. */

export type { Run } from "../exec/index.ts";
export { gitAddress } from "./address.ts";
export { type CheckoutOptions, checkout } from "./checkout.ts";
export type { SshOptions } from "./ssh-command.ts";
