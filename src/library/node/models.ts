// Models by the names that people give them: the one in the package, and those in the places that other tools share.

import type { Checkpoint } from "../../checkpoint/index.ts";
import { findModel, type LocalModel, localModels, openCheckpoint } from "../../checkpoint/node/index.ts";
import { embeddedModelPath } from "./embedded.ts";

/** Where a model lies, by any of its names; `embedded`, or none, is the one in the package. Errors: see `findModel`. */
export async function modelPath(name: string | undefined): Promise<string> {
  return name === undefined || name === "embedded" ? embeddedModelPath : findModel(name);
}

/** Opens a model by any of its names: headers only, no weights. Errors: those of `findModel` and `openCheckpoint`. */
export async function openModel(name: string | undefined): Promise<Checkpoint> {
  return openCheckpoint(await modelPath(name));
}

export interface ListedModel extends Omit<LocalModel, "source"> {
  readonly source: LocalModel["source"] | "embedded";
}

/** Every model that a name can mean on this machine, whole or not; folders elsewhere have no name. */
export async function listModels(): Promise<ListedModel[]> {
  const { path, layout, config, files, close } = await openModel("embedded");
  await close();
  const bytes = files.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return [
    { name: "embedded", source: "embedded", path, bytes, opened: { layout, config } },
    ...(await localModels()),
  ];
}
