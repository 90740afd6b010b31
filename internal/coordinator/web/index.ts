import page from "./index.html";
import { pageRoutes } from "./page-routes.ts";

/**
 * Routes of the dashboard for `Bun.serve({ routes })`. The page, its script and its styles are bundled into the binary;
 * every path under /ui is the same document, because the page routes by itself.
 */
export const webRoutes = pageRoutes(page);
