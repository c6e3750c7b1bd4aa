import * as fs from "node:fs";
import * as path from "node:path";
import { ROOT } from "../../operations/transport/run";

/** The commands of a document that are to be typed, as `sh` code blocks. */
export class DocumentedCommands {
  private readonly text: string;

  /** @param file the document, from the root of the checkout */
  constructor(private readonly file: string) {
    this.text = fs.readFileSync(path.join(ROOT, file), "utf8");
  }

  /** The first block of the document: what the reader sets before all else. */
  get preamble(): string {
    return this.blocks(this.text)[0] as string;
  }

  /**
   * The commands of one step.
   *
   * @param section heading of the second level
   * @param step number of the item in that section's list
   * @throws Error where the document has no such step, or the step no command
   */
  step(section: string, step: number): string {
    const body =
      new RegExp(`^## ${section}\n(.*?)(?=^## |\\u0000)`, "ms").exec(`${this.text}\u0000`)?.[1] ?? "";
    const items = body.split(/^(?=\d+\. )/m);
    const item = items.find((text) => text.startsWith(`${String(step)}. `)) ?? "";
    const blocks = this.blocks(item);
    if (blocks.length === 0)
      throw new Error(`${this.file}: "${section}" has no commands in step ${String(step)}`);
    return blocks.join("\n");
  }

  private blocks(text: string): string[] {
    return [...text.matchAll(/^( *)```sh\n(.*?)^\1```$/gms)].map(([, indent = "", block = ""]) =>
      block.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
    );
  }
}
