import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { isGone, ownMark, type ProcessMark } from "./process-mark.ts";

test("a process that was killed is gone, a living one is not, and of a number that means nothing nobody knows", () => {
  const own = ownMark();
  const { pid } = spawnSync(process.execPath, ["--version"]);
  expect([own, { ...own, pid: process.ppid }, { ...own, pid }].map(isGone)).toEqual([false, false, true]);
  for (const odd of [0, -1, 1.5, Number.NaN]) expect(isGone({ ...own, pid: odd })).toBe(false);
  expect(isGone({ place: "elsewhere", pid })).toBe(false);
});

/** As a container does that goes by its machine's name. */
const apart = ["unshare", "--map-root-user", "--pid", "--fork"];
const canUnshare = spawnSync(apart[0], [...apart.slice(1), "true"]).status === 0;

test.skipIf(!canUnshare)(
  "a process with another space of process ids says so, under the same name of the machine",
  () => {
    const script =
      'import("./src/checkpoint/node/process-mark.ts").then((o) => console.log(JSON.stringify(o.ownMark())))';
    const node = [process.execPath, "--import", "./test/typescript.mjs", "-e", script];
    const { stdout } = spawnSync(apart[0], [...apart.slice(1), ...node], { encoding: "utf8" });
    const inside = JSON.parse(stdout) as ProcessMark;
    expect(inside.pid).toBeLessThan(100);
    expect(isGone(inside)).toBe(false);
    expect(inside.place).not.toBe(ownMark().place);
  },
);
