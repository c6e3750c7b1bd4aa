/** What verify makes of an object's history. */
import { describe, expect, test } from "@jest/globals";
import type { Entry } from "../../s3/history";
import { withoutAccounted } from "../../keeper/gate/accounted";
import { damageInWords, judgeHistory, unreadable, type Damage } from "../../operations/verify/bucket/damage";

const OWNER = "the owner's ID";
const KEY = "web/main/config";

/** An object's history, newest first, of entries told oldest first: `WHO CONTENT`, or `WHO -` for a delete marker. */
function historyOf(...entries: string[]): Entry[] {
  return entries
    .map((entry, i) => {
      const [by = "", content = ""] = entry.split(" ");
      const marker = content === "-";
      return {
        key: KEY,
        versionId: `v${String(i)}`,
        marker,
        latest: i === entries.length - 1,
        modified: 1000 * i,
        size: marker ? 0 : content.length,
        etag: marker ? "" : `hash of ${content}`,
        ...(by === "?" ? {} : { by: by === "owner" ? OWNER : by }),
      };
    })
    .reverse();
}

/** `IS first at N by WHO`, N counted in entries, oldest first. */
function judged(...entries: string[]): string {
  const fate = judgeHistory(historyOf(...entries), OWNER);
  if (fate.is === "whole") return fate.is;
  const first = `${fate.is} first at ${String(fate.first / 1000)}`;
  if (fate.is === "repeated") return `${first}, ${fate.version.versionId}`;
  return `${first} by ${fate.by ?? "nobody"}${fate.gone ? ", gone" : ""}`;
}

describe("an object", () => {
  test.each([
    ["put once", ["writer good"]],
    ["put by the owner", ["owner good"]],
    ["overwritten by the owner", ["writer good", "owner other"]],
    ["removed by the owner", ["writer good", "owner -"]],
    ["brought back after it was overwritten", ["writer good", "writer evil", "owner good"]],
    ["brought back after all of it", ["writer good", "writer evil", "keeper -", "owner good"]],
    ["moved away, and hidden once more", ["writer strange", "owner -", "keeper -"]],
    ["moved away, and added again", ["writer strange", "owner -", "writer other"]],
    ["moved away, added again and hidden", ["writer strange", "owner -", "writer other", "keeper -"]],
    ["of which the owner's delete marker alone is left", ["owner -"]],
  ])("%s is whole", (_, entries) => {
    expect(judged(...entries)).toBe("whole");
  });

  test.each([
    ["overwritten", ["writer good", "writer evil"], "overwritten first at 1 by writer"],
    ["overwritten in the same size", ["writer good", "keeper evil"], "overwritten first at 1 by keeper"],
    ["overwritten with nothing", ["writer good", "writer "], "overwritten first at 1 by writer"],
    ["overwritten again and again", ["writer good", "a evil", "b worse"], "overwritten first at 1 by b"],
    ["overwritten, and put again", ["writer good", "a evil", "b good"], "overwritten first at 1 by b"],
    ["uploaded in parts over another", ["writer good", "writer good-2"], "overwritten first at 1 by writer"],
    ["hidden", ["writer good", "keeper -"], "hidden first at 1 by keeper"],
    ["hidden twice", ["writer good", "keeper -", "other -"], "hidden first at 1 by other"],
    ["overwritten and hidden", ["writer good", "writer evil", "keeper -"], "hidden first at 1 by keeper"],
    [
      "hidden, and overwritten",
      ["writer good", "keeper -", "writer evil"],
      "overwritten first at 1 by writer",
    ],
    ["hidden so long ago that no version is left", ["keeper -"], "hidden first at 0 by keeper, gone"],
    [
      "brought back, and overwritten again",
      ["a good", "a evil", "owner good", "a evil"],
      "overwritten first at 3 by a",
    ],
    ["brought back, and hidden again", ["a good", "b -", "owner good", "b -"], "hidden first at 3 by b"],
    [
      "moved away, added and overwritten",
      ["a strange", "owner -", "a one", "a two"],
      "overwritten first at 3 by a",
    ],
    ["overwritten by somebody unnamed", ["? good", "? evil"], "overwritten first at 1 by nobody"],
    ["repeated long before", ["a good", "a good", "a evil"], "overwritten first at 2 by a"],
  ])("%s is damaged", (_, entries, fate) => {
    expect(judged(...entries)).toBe(fate);
  });

  test.each([
    ["at once", ["writer good", "writer good"], "repeated first at 1, v1"],
    ["more than once", ["writer good", "a good", "b good"], "repeated first at 1, v2"],
    ["after it was hidden", ["writer good", "keeper -", "writer good"], "repeated first at 2, v2"],
    [
      "after the owner brought it back",
      ["a good", "a evil", "owner good", "a good"],
      "repeated first at 3, v3",
    ],
  ])("put again with the same content %s has to be read", (_, entries, fate) => {
    expect(judged(...entries)).toBe(fate);
  });

  test("is damaged by what the owner did where the owner's word is not taken", () => {
    expect(judgeHistory(historyOf("writer good", "owner other"))).toMatchObject({
      is: "overwritten",
      by: OWNER,
    });
    expect(judgeHistory(historyOf("writer good", "owner -"))).toMatchObject({ is: "hidden", by: OWNER });
  });

  test("without any history is whole", () => {
    expect(judgeHistory([], OWNER)).toEqual({ is: "whole" });
  });
});

describe("damage in words", () => {
  const damage = (change: Partial<Damage>): Damage => ({
    ...{ is: "overwritten", key: KEY, by: "W", first: Date.UTC(2026, 10, 20), gone: false },
    ...change,
  });
  const nameOf = (id: string): string => (id === "W" ? "the writer" : id);

  test("says how many, by whom, when first and where", () => {
    const damages = [
      damage({}),
      damage({ is: "hidden", by: "K\u001b[2J", first: Date.UTC(2026, 10, 19), gone: true }),
      damage({ key: "db/main/data/00/x" }),
    ];
    expect(damageInWords(damages, nameOf)).toBe(
      "2 overwritten, 1 hidden by delete markers (of 1 no version is left), by the writer (2), K\\u{1b}[2J (1), " +
        "first at 2026-11-19T00:00:00Z, in web/main (2), db/main (1)",
    );
  });

  test("names a few repositories, those that are worst off first", () => {
    const keys = ["a/one", "b/two", "c/three", "d/four", "d/four", "e/\nfive"];
    const said = damageInWords(
      keys.map((prefix) => damage({ key: `${prefix}/config` })),
      nameOf,
    );
    expect(said).toMatch(/in d\/four \(2\), a\/one \(1\), b\/two \(1\) and 2 more repositories$/);
  });

  test("tells what cannot be read, and that nobody knows who did it", () => {
    const fate = judgeHistory(historyOf("? good", "? good"), OWNER);
    if (fate.is !== "repeated") throw new Error(fate.is);
    expect(damageInWords([unreadable(fate)], nameOf)).toBe(
      "1 put again so that the owner cannot read them, by an unknown identity (1), first at 1970-01-01T00:00:01Z, in web/main (1)",
    );
  });
});

describe("a marker of the keeper", () => {
  /** What is left of an object to judge, where the keeper's journal says that it hid these versions. */
  const left = (hidden: string[], ...entries: string[]) => {
    const journal = new Map([[KEY, new Set(hidden)]]);
    const fate = judgeHistory(withoutAccounted(historyOf(...entries), "keeper", journal), OWNER);
    return fate.is;
  };

  test.each<[string, string[], string[]]>([
    ["whose journal names the version below it", ["v0"], ["writer good", "keeper -"]],
    ["that was put twice for one version", ["v0"], ["writer good", "keeper -", "keeper -"]],
    ["whose version has expired since", ["v0"], ["keeper -"]],
  ])("%s is honest", (_, hidden, entries) => {
    expect(left(hidden, ...entries)).toBe("whole");
  });

  test.each<[string, string[], string[], string]>([
    ["that no journal names", [], ["writer good", "keeper -"], "hidden"],
    ["above another version than the journal's", ["v7"], ["writer good", "keeper -"], "hidden"],
    ["that another identity put", ["v0"], ["writer good", "writer -"], "hidden"],
    ["above an overwritten object", ["v1"], ["writer good", "writer evil", "keeper -"], "overwritten"],
    ["under another's", ["v0"], ["writer good", "keeper -", "writer -"], "hidden"],
  ])("%s is not", (_, hidden, entries, damage) => {
    expect(left(hidden, ...entries)).toBe(damage);
  });

  test("says nothing about another object", () => {
    const history = historyOf("writer good", "keeper -");
    expect(withoutAccounted(history, "keeper", new Map([["web/main/keys/one", new Set(["v0"])]]))).toEqual(
      history,
    );
  });
});
