import { expect, test } from "@jest/globals";
import { printable, visible } from "../../keeper/printable";

test("a text becomes one line without control characters", () => {
  expect(printable("  one \r\n\n two\t three\u001b[0m \u202e\n", 100)).toBe("one | two? three?[0m ?");
  expect(printable("one\u2028two\u2029three", 100)).toBe("one | two | three");
  expect(printable("abcdef", 3)).toBe("abc");
});

test("megabytes of spaces take no longer than other characters", () => {
  // A search that begins anew at each space would take hours, and nothing could end it.
  expect(printable(`a${" ".repeat(4 << 20)}b`, 10)).toBe("a         ");
  expect(printable(`a${" \n".repeat(2 << 20)}b`, 10)).toBe("a | b");
});

test("characters that control, end a line or show nothing become visible escapes", () => {
  expect(visible("a\u001b[2J\u202eb\n\u2028\u0085\ud800 \u{1f980}é")).toBe(
    "a\\u{1b}[2J\\u{202e}b\\u{a}\\u{2028}\\u{85}\\u{d800} \u{1f980}é",
  );
  expect(visible("\u200b\u00ad\u034f\u115f\u3164\u{e0041}")).toBe(
    "\\u{200b}\\u{ad}\\u{34f}\\u{115f}\\u{3164}\\u{e0041}",
  );
});
