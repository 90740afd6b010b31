/** Git sources by the system's git program. */
export { gitAddress } from "./address.ts";
export { type CheckoutOptions, checkout } from "./checkout.ts";
export type { Run } from "./run.ts";
