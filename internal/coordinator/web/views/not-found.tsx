import type { JSX } from "preact";
import { Link, urls } from "../router.tsx";
import { useTitle } from "../title.ts";

export function NotFound(): JSX.Element {
  useTitle("Not found");
  return (
    <div class="empty">
      <h1>There is nothing at this address</h1>
      <p>
        Go to the <Link to={urls.jobs()}>jobs</Link>, the <Link to={urls.runners}>runners</Link>, the{" "}
        <Link to={urls.workspaces}>workspaces</Link> or the <Link to={urls.events()}>events</Link>.
      </p>
    </div>
  );
}
