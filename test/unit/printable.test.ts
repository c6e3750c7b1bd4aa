import { expect, test } from "@jest/globals";
import { printable } from "../../keeper/printable";

test("a text becomes one line without control characters", () => {
  expect(printable("  one \r\n\n two\t three\u001b[0m \u202e\n", 100)).toBe("one | two? three?[0m ?");
  expect(printable("abcdef", 3)).toBe("abc");
});

test("megabytes of spaces take no longer than other characters", () => {
  // A search that begins anew at each space would take hours, and nothing could end it.
  expect(printable(`a${" ".repeat(4 << 20)}b`, 10)).toBe("a         ");
  expect(printable(`a${" \n".repeat(2 << 20)}b`, 10)).toBe("a | b");
});
