import type { JSX } from "preact";
import { Empty } from "../parts/states.tsx";
import { Link, urls } from "../router.tsx";

export function NotFound(): JSX.Element {
  return (
    <Empty title="There is nothing at this address">
      <p>
        Go to the <Link to={urls.jobs()}>jobs</Link>, the <Link to={urls.runners}>runners</Link>, the{" "}
        <Link to={urls.workspaces}>workspaces</Link> or the <Link to={urls.events()}>events</Link>.
      </p>
    </Empty>
  );
}
