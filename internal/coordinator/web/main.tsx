import { render } from "preact";
import { z } from "zod";
import { App } from "./app.tsx";
import { applyTheme, theme } from "./theme.ts";

// The content policy forbids building functions from text, which zod would otherwise try for speed.
z.config({ jitless: true });
applyTheme(theme.get());

const root = document.getElementById("app");
// A page that can be clicked through another one is refused here too, should the server's header be lost on the way.
if (root && window.top === window.self) render(<App />, root);
