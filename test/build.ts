import { execFileSync } from "node:child_process";

/** Once before the end-to-end tests: they run `dist/`, which must be what `src/` says. */
export function setup(): void {
  execFileSync("npm", ["run", "--silent", "build"], { stdio: "inherit" });
}
