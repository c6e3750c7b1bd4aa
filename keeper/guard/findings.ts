/** The findings of a run, so many that its report stays small. */
import type { Finding } from "../job";
import type { StoredObject } from "../objects";
import { printable } from "../printable";

/** Findings of a run, and one that says that there are more: the gate takes 100. */
const MOST = 99;
/** Further findings that are counted; then the guard ends, so that its report comes within the time of a run. */
const MOST_COUNTED = 5000;
/** Objects that one finding names. */
const MOST_NAMES = 1000;
/** Characters of a sentence. */
const MOST_WORDS = 500;

/** The name of an object in findings. */
export const nameOf = ({ type, id }: StoredObject): string => `${type}/${id}`;

export class Findings {
  readonly #all: Finding[] = [];
  #more = 0;

  add(kind: string, objects: readonly StoredObject[], why: string): void {
    if (this.#all.length === MOST) {
      this.#more++;
      return;
    }
    this.#all.push({
      kind,
      objects: objects.slice(0, MOST_NAMES).map(nameOf),
      why: printable(why, MOST_WORDS),
    });
  }

  get none(): boolean {
    return this.#all.length === 0;
  }

  /** Whether more would say nothing. */
  get enough(): boolean {
    return this.#more >= MOST_COUNTED;
  }

  get all(): Finding[] {
    const more = {
      kind: "more-findings",
      objects: [],
      why: `${this.#more}${this.enough ? " or more" : ""} further findings are not listed: they are reported once these are dealt with`,
    };
    return this.#more === 0 ? [...this.#all] : [...this.#all, more];
  }
}
