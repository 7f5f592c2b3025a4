import { Command } from "commander";
import { logitsOf } from "../../library/index.ts";
import { checkInVocabulary, readTokenIds } from "../input.ts";
import { loadCliWeights } from "../model.ts";
import { addComputeOptions, type ComputeOptions, modelTokenIdsHelp } from "../options.ts";
import { writeWhole } from "../output-file.ts";
import { formatBytes, interruptible, progressLine } from "../terminal.ts";

interface Options extends ComputeOptions {
  readonly tokens?: string;
  readonly out: string;
  readonly last?: true;
}

/** `gpt-oss logits`: token ids → raw logits. */
export const logitsCommand = (): Command =>
  addComputeOptions(
    new Command("logits")
      .summary("token ids to raw logits")
      .description(
        "Runs the model over the tokens and writes its logits: little-endian f32, positions × vocabulary, no header.",
      )
      .option("--tokens <ids>", modelTokenIdsHelp)
      .requiredOption("--out <file>", "file to write")
      .option("--last", "only the last position"),
  ).action(async (options: Options) => {
    const tokens = await readTokenIds(options.tokens);
    await interruptible((signal) => writeLogits(tokens, options, signal));
  });

async function writeLogits(tokens: readonly number[], options: Options, signal: AbortSignal): Promise<void> {
  const { model, close } = await loadCliWeights(options, signal);
  const { vocabularySize } = model.config;
  const line = progressLine();
  try {
    let positions = 0;
    await writeWhole(options.out, async (file) => {
      checkInVocabulary(tokens, { size: vocabularySize }, options.model);
      const how = { lastOnly: options.last === true, ...(options.cache && { cache: options.cache }) };
      for await (const chunk of logitsOf(model, tokens, { ...how, signal })) {
        await file.writeFile(littleEndian(chunk));
        positions += chunk.length / vocabularySize;
        line.update(`${positions} of ${tokens.length} positions`);
      }
    });
    const bytes = formatBytes(positions * vocabularySize * 4);
    line.end(`${options.out}: ${positions} × ${vocabularySize} logits, ${bytes}`);
  } finally {
    line.end();
    await close();
  }
}

/** Every platform that Node supports is little-endian, except s390x. */
function littleEndian(values: Float32Array): Uint8Array {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? bytes : Buffer.from(bytes).swap32();
}
