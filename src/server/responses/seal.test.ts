import { expect, test } from "vitest";
import { createSeal } from "./seal.ts";

test("what was sealed comes back, whatever it is, and cannot be read on the way", async () => {
  const { seal, unseal } = createSeal("secret");
  for (const text of ["", "thoughts", "é🌦\u0000", "x".repeat(300_000)]) {
    const sealed = await seal("reasoning", text);
    expect(sealed).toMatch(/^gptoss1\.[A-Za-z0-9+/=]+$/);
    expect(await unseal("reasoning", sealed)).toEqual({ text });
  }
  expect(await seal("reasoning", "same")).not.toBe(await seal("reasoning", "same"));
});

test("what was changed, cut, made for something else or sealed with another secret is forged", async () => {
  const { seal, unseal } = createSeal("secret");
  const sealed = await seal("reasoning", "thoughts");
  const middle = sealed.length - 8;
  const changed = sealed.slice(0, middle) + (sealed[middle] === "A" ? "B" : "A") + sealed.slice(middle + 1);
  const bad = [changed, sealed.slice(0, -4), `${sealed}AAAA`, "gptoss1.", "gptoss1.%%%", "gptoss1.AAAA"];
  for (const one of bad) expect(await unseal("reasoning", one)).toEqual({ problem: "forged" });
  expect(await unseal("compaction", sealed)).toEqual({ problem: "forged" });
  expect(await createSeal("other").unseal("reasoning", sealed)).toEqual({ problem: "forged" });
});

test("what somebody else sealed is foreign, and a server without a secret reads its own after a restart", async () => {
  const { seal } = createSeal();
  expect(await createSeal().unseal("reasoning", "gAAAAABk…")).toEqual({ problem: "foreign" });
  expect(await createSeal().unseal("reasoning", await seal("reasoning", "kept"))).toEqual({ text: "kept" });
});
