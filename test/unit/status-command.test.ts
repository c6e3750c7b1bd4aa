/** `npm run status`: what it reads, prints and ends with. */
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { STATUS_KEY } from "../../keeper/status/keys";
import type { Status } from "../../keeper/status/schema";
import { EXIT } from "../../operations/exit-status";
import { readStatus } from "../../operations/keeper-status";
import {
  exitStatusOf,
  keepShowing,
  type Screen,
  show,
  type StatusRequest,
} from "../../operations/status/status";
import { replaceFile } from "../../operations/replace-file";
import { inDirectory } from "./files-tools";
import { MemoryStore } from "../harness/memory-store";
import {
  hostileStatus,
  manyStatus,
  SAMPLE_AT,
  sampleAlarm,
  sampleStatus,
  wellStatus,
} from "../harness/sample-status";

const LATE = SAMPLE_AT + 46 * 60_000;

/** A screen, and what was written on it. */
function screenOf(size?: Screen["size"]) {
  const written: string[] = [];
  const complaints: string[] = [];
  const screen: Screen = {
    ...(size && { size }),
    write: (text) => void written.push(text),
    complain: (line) => void complaints.push(line),
  };
  return { screen, written, complaints };
}

function shown(status: Status, request: StatusRequest = {}, now = SAMPLE_AT) {
  const { screen, written, complaints } = screenOf();
  const code = show(status, "keepersrv", now, request, screen);
  return { code, text: written.join(""), complaints };
}

describe("the exit status", () => {
  const canary = { client: ".canary", repository: "verify", canary: true };
  const failing = [{ name: "mail", failingSince: SAMPLE_AT, pending: 1 }];
  test.each<[number, string, Status, number]>([
    [EXIT.done, "all is well", wellStatus(), SAMPLE_AT],
    [
      EXIT.done,
      "the canary alone has an alarm",
      wellStatus({ alarms: [sampleAlarm("lock", canary)] }),
      SAMPLE_AT,
    ],
    [EXIT.failed, "there is an alarm", sampleStatus(), SAMPLE_AT],
    [EXIT.failed, "a way fails", wellStatus({ ways: failing }), SAMPLE_AT],
    [EXIT.unknown, "it is too old", wellStatus(), LATE],
    [EXIT.unknown, "it is too old, and there was an alarm", sampleStatus(), LATE],
  ])("is %i where %s", (code, _, status, now) => {
    expect(exitStatusOf(status, now)).toBe(code);
    expect(shown(status, {}, now).code).toBe(code);
    expect(shown(status, { json: true }, now).code).toBe(code);
  });
});

describe("--json", () => {
  test("prints the document and nothing else; that it is too old goes elsewhere", () => {
    const status = sampleStatus();
    const well = shown(status, { json: true });
    expect(JSON.parse(well.text)).toEqual(status);
    expect(well.complaints).toEqual([]);
    const late = shown(status, { json: true }, LATE);
    expect(late.text).toBe(well.text);
    expect(late.complaints).toEqual([expect.stringMatching(/^STALE: /)]);
  });

  test("does nothing to a terminal, whatever names are in it", () => {
    const status = hostileStatus();
    status.bucket.beside.some.push("a\u009b31m\u202eb\u007f\u{e0041}");
    const { text } = shown(status, { json: true });
    expect(JSON.parse(text)).toEqual(status);
    expect(text.replaceAll("\n", "")).not.toMatch(/[\p{C}\p{Zl}\p{Zp}\p{DI}]/u);
  });
});

describe("the document in the bucket", () => {
  const stored = (content?: string): MemoryStore => {
    const store = new MemoryStore();
    if (content !== undefined) store.add(STATUS_KEY, Buffer.from(content));
    return store;
  };

  test("is read as it is", async () => {
    const status = manyStatus(200);
    expect(await readStatus(stored(JSON.stringify(status)), "keepersrv")).toEqual(status);
  });

  test.each([
    ["there is none", undefined, "has left no status yet"],
    ["it is no JSON", "{", "is not what the keeper of this version writes"],
    ["it is of another version", JSON.stringify({ ...wellStatus(), version: 2 }), "is not what the keeper"],
    ["it has a time that is none", JSON.stringify({ ...wellStatus(), at: "now" }), "is not what the keeper"],
    [
      "a year has more days than it has",
      JSON.stringify({ ...wellStatus(), at: 1e17 }),
      "is not what the keeper",
    ],
  ])("is refused where %s", async (_, content, message) => {
    await expect(readStatus(stored(content), "keepersrv")).rejects.toThrow(message);
  });

  test("of too many bytes is not read", async () => {
    const store = {
      get: () => Promise.resolve({ body: { destroy: () => undefined }, length: 2 ** 40, size: 2 ** 40 }),
    };
    await expect(readStatus(store as never, "keepersrv")).rejects.toThrow(
      "has 1099511627776 bytes, more than",
    );
  });
});

test("a page replaces the one before at once, and nothing else is left beside it", () => {
  inDirectory((directory) => {
    const file = join(directory, "status.html");
    writeFileSync(file, "before");
    const reader = openSync(file, "r");
    replaceFile(file, "<!doctype html>");
    expect(readFileSync(file, "utf8")).toBe("<!doctype html>");
    expect(readFileSync(reader, "utf8")).toBe("before");
    closeSync(reader);
    expect(readdirSync(directory)).toEqual(["status.html"]);
    expect(() => {
      replaceFile(join(directory, "none/status.html"), "");
    }).toThrow("ENOENT");
  });
});

test("--watch repaints what there is room for, and goes on after an error", async () => {
  const { screen, written } = screenOf({ columns: 80, rows: 8 });
  const looks = [
    () => Promise.resolve(sampleStatus()),
    () => Promise.reject(new Error("no\u001b[2J connection")),
    () => Promise.resolve(wellStatus()),
  ];
  let n = 0;
  const pauses: number[] = [];
  await expect(
    keepShowing(
      () => (looks[n++] as () => Promise<Status>)(),
      "keepersrv",
      screen,
      () => SAMPLE_AT,
      (ms) => {
        pauses.push(ms);
        return n === looks.length ? Promise.reject(new Error("Ctrl-C")) : Promise.resolve();
      },
    ),
  ).rejects.toThrow("Ctrl-C");
  expect(pauses).toEqual([30_000, 30_000, 30_000]);
  const [first = "", error, last] = written.map((text) => text.replace("\u001b[2J\u001b[H", ""));
  expect(first.split("\n")).toHaveLength(8);
  expect(first).toContain("\ndb1/postgres ");
  expect(error).toBe("could not be read: no\\u{1b}[2J connection\n");
  expect(last).toContain("no alarm");
});
