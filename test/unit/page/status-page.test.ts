/**
 * The status page in a real browser. With SCREENSHOTS=1 the pictures in docs/ are taken again:
 * SCREENSHOTS=1 npx jest --selectProjects unit --runTestsByPath test/unit/page/status-page.test.ts
 */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Browser, chromium, type Page } from "playwright-core";
import { visible } from "../../../keeper/printable";
import { renderPage } from "../../../keeper/status/page";
import type { Day, Status } from "../../../keeper/status/schema";
import { ROOT } from "../../../operations/transport/run";
import {
  HOSTILE,
  hostileStatus,
  manyStatus,
  SAMPLE_AT,
  sampleAlarm,
  sampleRepository,
  sampleStatus,
  wellStatus,
} from "../../harness/sample-status";

/** Milliseconds; a slow machine starts a browser slowly. */
const LIMIT = 300_000;
const DAY = 24 * 3_600_000;

let browser: Browser;
let folder: string;

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "status-page-"));
  const executablePath = execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim();
  browser = await chromium.launch({ executablePath, timeout: LIMIT });
}, LIMIT);

afterAll(async () => {
  await browser.close();
  fs.rmSync(folder, { recursive: true });
}, LIMIT);

interface Look {
  readonly width?: number;
  readonly scheme?: "light" | "dark";
  readonly media?: "screen" | "print";
}

/** An open page, and what it did. */
interface Opened {
  readonly page: Page;
  readonly address: string;
  readonly requests: readonly string[];
  readonly said: readonly string[];
}

/** Opens a page from a file, hands it over and closes it. */
async function opened<T>(text: string, look: Look, use: (it: Opened) => Promise<T>): Promise<T> {
  const { width = 1280, scheme = "light", media = "screen" } = look;
  const file = path.join(folder, `${String(fs.readdirSync(folder).length)}.html`);
  fs.writeFileSync(file, text);
  const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme: scheme });
  try {
    page.setDefaultTimeout(LIMIT / 2);
    await page.emulateMedia({ media });
    const requests: string[] = [];
    const said: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    page.on("console", (message) => said.push(message.text()));
    page.on("pageerror", (error) => said.push(String(error)));
    page.on("dialog", (dialog) => {
      said.push(dialog.message());
      void dialog.dismiss();
    });
    const address = pathToFileURL(file).href;
    await page.goto(address, { waitUntil: "load" });
    return await use({ page, address, requests, said });
  } finally {
    await page.close();
  }
}

const STATUSES: readonly (readonly [string, Status])[] = [
  ["well", wellStatus()],
  ["amiss", sampleStatus()],
  ["hostile", hostileStatus()],
  ["large", manyStatus(60)],
];

const LOOKS: readonly Look[] = [
  { width: 360, scheme: "light" },
  { width: 360, scheme: "dark" },
  { width: 768 },
  { width: 1240, scheme: "dark" },
  { width: 1280, scheme: "light" },
  { width: 1280, scheme: "dark" },
  { width: 720, media: "print", scheme: "dark" },
];

describe.each(STATUSES)("a page that is %s", (_, status) => {
  test(
    "asks for nothing but itself, and says nothing",
    async () => {
      await opened(renderPage(status), {}, async ({ page, address, requests, said }) => {
        // Whatever is opened later asks for nothing, either.
        await page.evaluate(() => {
          for (const details of document.querySelectorAll("details")) details.open = true;
        });
        await page.screenshot();
        expect(requests).toEqual([address]);
        expect(said).toEqual([]);
      });
    },
    LIMIT,
  );

  test(
    "never scrolls sideways",
    async () => {
      await opened(renderPage(status), {}, async ({ page }) => {
        for (const { width = 1280, scheme = "light", media = "screen" } of LOOKS) {
          await page.setViewportSize({ width, height: 800 });
          await page.emulateMedia({ media, colorScheme: scheme });
          const wider = await page.evaluate(() => {
            for (const details of document.querySelectorAll("details")) details.open = true;
            return document.documentElement.scrollWidth - document.documentElement.clientWidth;
          });
          expect({ width, media, wider }).toEqual({ width, media, wider: 0 });
        }
      });
    },
    LIMIT,
  );
});

test(
  "a browser neither runs nor fetches what somebody added to the page",
  async () => {
    let fetched = 0;
    const server = http.createServer((_, response) => {
      fetched += 1;
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const added = `<script>document.title = "ran"</script><img src="http://127.0.0.1:${String(port)}/">`;
    const text = renderPage(wellStatus()).replace("</main>", `${added}</main>`);
    const [policy = ""] = /<meta http-equiv="Content-Security-Policy"[^>]*>/.exec(text) ?? [];
    try {
      expect(await opened(text, {}, ({ page }) => page.title())).toBe("All is well – backups-prod");
      expect(fetched).toBe(0);
      expect(await opened(text.replace(policy, ""), {}, ({ page }) => page.title())).toBe("ran");
      expect(fetched).toBe(1);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  },
  LIMIT,
);

/** All elements and attributes of a page, without any text. */
const structure = (page: Page): Promise<string[]> =>
  page.evaluate(() =>
    [...document.querySelectorAll("*")].map((element) =>
      [
        element.parentElement?.tagName,
        element.tagName,
        ...[...element.attributes].map(({ name, value }) => `${name}=${value}`),
      ].join(" "),
    ),
  );

/** A status with other strings in the place of the hostile ones. */
function harmless(status: Status): Status {
  const names = new Map<string, string>(HOSTILE.map((text, n) => [text, `name-${String(n)}`]));
  const replaced = (value: unknown): unknown => {
    if (typeof value === "string") return names.get(value) ?? (value.includes(HOSTILE[0]) ? "all" : value);
    if (Array.isArray(value)) return value.map(replaced);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, replaced(one)]));
  };
  return replaced(status) as Status;
}

describe("hostile names", () => {
  test(
    "change no element and no attribute of the page",
    async () => {
      const hostile = await opened(renderPage(hostileStatus()), {}, ({ page }) => structure(page));
      const plain = await opened(renderPage(harmless(hostileStatus())), {}, ({ page }) => structure(page));
      expect(hostile.length).toBeGreaterThan(500);
      expect(hostile).toEqual(plain);
    },
    LIMIT,
  );

  test(
    "are shown as they are, with what controls or hides in escapes",
    async () => {
      const text = renderPage(hostileStatus());
      expect(text.replaceAll("\n", "")).not.toMatch(/[\p{C}\p{Zl}\p{Zp}\p{DI}]/u);
      await opened(text, {}, async ({ page }) => {
        const names = await page.locator("#rows .name > bdi:first-child").allTextContents();
        expect(names).toEqual(HOSTILE.map(visible));
        expect(names.join("")).toContain("<script>alert(1)</script>");
        expect(names.join("")).toContain("\\u{202e}gnp.exe\\u{202c}");
        const commands = await page.locator(".alarm code").allTextContents();
        expect(commands).toEqual(HOSTILE.map(visible));
      });
    },
    LIMIT,
  );
});

describe("what comes first", () => {
  const first = (status: Status, now?: number): Promise<string> =>
    opened(renderPage(status, now), { width: 360 }, ({ page }) => page.locator("header").innerText());

  test(
    "is whether all is well, as of when, and until when that may be believed",
    async () => {
      expect((await first(wellStatus())).split("\n").filter((line) => line !== "")).toEqual([
        "Backups in backups-prod",
        "All is well",
        "As of 2027-03-14 06:02 UTC, by the keeper. If it is later than 2027-03-14 06:47 UTC, this page is old: the watcher is late or dead.",
      ]);
      expect(await first(sampleStatus())).toContain(
        "Amiss: 3 critical alarms, 5 warnings, 1 way of sending fails",
      );
      // The canary's alarm is no part of it.
      const canary = sampleStatus().alarms.filter((alarm) => alarm.canary);
      expect(canary).toHaveLength(1);
      expect(await first(wellStatus({ alarms: canary }))).toContain("All is well");
    },
    LIMIT,
  );

  test(
    "is that the page is old, if it is",
    async () => {
      const until = SAMPLE_AT + 45 * 60_000;
      expect(await first(wellStatus(), until)).not.toContain("This page is old");
      const old = await first(wellStatus(), until + 2 * 3_600_000);
      expect(old).toMatch(
        /^This page is old: the watcher is late or dead\. .* 2027-03-14 06:47 UTC, 2 h ago/,
      );
      expect(old).toContain("All was well");
    },
    LIMIT,
  );

  test(
    "are alarms, then ways, then the repositories that are amiss",
    async () => {
      await opened(renderPage(sampleStatus()), {}, async ({ page }) => {
        expect(await page.locator("h2").evaluateAll((all) => all.map(({ id }) => id))).toEqual([
          "alarms",
          "ways",
          "repositories",
        ]);
        expect(await page.locator("#rows .name").allTextContents()).toEqual([
          "db1/postgres",
          "git/main",
          "files/home",
          "mail/main",
          "appsrv/main",
          "appsrv/uploads",
          "build/main",
          "new-laptop/main",
          "web1/main",
          "web2/main",
          ".canary/verify",
        ]);
        const way = page.locator("#ways-table tr", { hasText: "webhook ops" });
        expect(await way.innerText()).toMatch(/fails since 2027-03-14 01:02/);
      });
    },
    LIMIT,
  );
});

test("a page says that no way is configured, but not where nobody sends", () => {
  expect(renderPage(wellStatus())).not.toContain("None is configured");
  expect(renderPage(wellStatus({ ways: [] }))).toContain("None is configured");
  expect(renderPage(wellStatus({ ways: [{ name: "ping", pending: 0 }] }))).toMatch(
    /None is configured.*id="ways-table"/s,
  );
  expect(renderPage(wellStatus({ ways: [], by: "workstation" }))).not.toMatch(/None is configured|id="ways"/);
});

test(
  "a row says what is amiss in words, and leads to the alarm and back",
  async () => {
    await opened(renderPage(sampleStatus()), {}, async ({ page }) => {
      const row = page.locator("#rows tbody", { hasText: "git/main" }).first();
      const words = await row.innerText();
      for (const word of [
        "hidden object",
        "forged date",
        "waits for approval",
        "claims",
        "2031-01-01T00:00:00Z",
      ]) {
        expect(words).toContain(word);
      }
      await row.getByRole("link", { name: "hidden object" }).click();
      const alarm = page.locator(":target");
      expect(await alarm.innerText()).toContain("npm run recover -- --client git --repository main");
      await alarm.getByRole("link").click();
      expect(await page.locator(":target").getAttribute("id")).toBe(await row.getAttribute("id"));
      await row.locator("summary").click();
      expect(await row.innerText()).toContain("312 of 903 snapshots are to go: approve the plan");
    });
  },
  LIMIT,
);

test(
  "assistive technology finds landmarks, headers of rows and columns, and what figures show",
  async () => {
    await opened(renderPage(sampleStatus()), {}, async ({ page }) => {
      for (const role of ["banner", "main", "contentinfo"] as const) {
        expect(await page.getByRole(role).count()).toBe(1);
      }
      const table = page.getByRole("table", { name: "Repositories" });
      expect(await table.getByRole("columnheader").count()).toBe(10);
      expect(await table.getByRole("rowheader").count()).toBe(11);
      expect(await table.getByRole("img", { name: "Last 120 days" }).count()).toBe(11);
      // One repository is empty, and has not grown.
      expect(await table.getByRole("img", { name: "Growth" }).count()).toBe(10);
    });
  },
  LIMIT,
);

test(
  "on a phone each cell says what it is",
  async () => {
    await opened(renderPage(sampleStatus()), { width: 360 }, async ({ page }) => {
      const columns = await page.locator("#rows thead th").allTextContents();
      const labels = await page
        .locator("#rows tbody")
        .first()
        .locator("tr:first-child td")
        .evaluateAll((cells) => cells.map((cell) => getComputedStyle(cell, "::before").content));
      expect(labels).toEqual(columns.slice(1).map((column) => JSON.stringify(column)));
    });
  },
  LIMIT,
);

/** The texts and strokes of a page whose contrast with what is behind them is too low. */
const illegible = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const channels = (color: string): number[] => (color.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = (color: string): number => {
      const [red = 0, green = 0, blue = 0] = channels(color).map((value) =>
        value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4,
      );
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const behind = (element: Element | null): string => {
      if (element === null) return "rgb(255, 255, 255)";
      const { backgroundColor } = getComputedStyle(element);
      return channels(backgroundColor)[3] === 0 ? behind(element.parentElement) : backgroundColor;
    };
    const contrast = (one: string, other: string): number => {
      const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
      return (high + 0.05) / (low + 0.05);
    };
    return [...document.body.querySelectorAll("*")].flatMap((element) => {
      const style = getComputedStyle(element);
      const written = [...element.childNodes].some(
        (node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim() !== "",
      );
      const drawn = element.tagName === "path" || element.tagName === "polyline";
      if (!written && !drawn) return [];
      const color = drawn ? style.stroke : element.tagName === "text" ? style.fill : style.color;
      const ratio = contrast(color, behind(element));
      const least = drawn ? 3 : 4.5;
      return ratio >= least ? [] : [`${element.outerHTML.slice(0, 80)}: ${color}, ${ratio.toFixed(2)}`];
    });
  });

test.each<Look>([{ scheme: "light" }, { scheme: "dark" }, { scheme: "dark", media: "print" }])(
  "contrast is enough for everybody: %j",
  async (look) => {
    for (const status of [sampleStatus(), wellStatus()]) {
      await opened(renderPage(status, SAMPLE_AT + DAY), look, async ({ page }) => {
        expect(await illegible(page)).toEqual([]);
        const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        const dark = look.scheme === "dark" && look.media !== "print";
        expect(paper === "rgb(255, 255, 255)").toBe(!dark);
      });
    }
    await opened("<p style='color:#999'>grey<svg><path stroke='#ddd'/></svg>", {}, async ({ page }) => {
      expect(await illegible(page)).toHaveLength(2);
    });
  },
  LIMIT,
);

describe("the figures", () => {
  /** A repository whose days are of all kinds, and its part of the page. */
  const kinds = ["b", "p", "f", "n"] as const;
  const kindOf = (age: number) => (age === 119 ? "f" : kinds[Math.floor(age / 3) % 4]) ?? "n";
  const days: Day[] = Array.from({ length: 120 }, (_, n) => 119 - n)
    .filter((age) => kindOf(age) !== "n")
    .map((age) => ({
      day: new Date(SAMPLE_AT - age * DAY).toISOString().slice(0, 10),
      backups: kindOf(age) === "f" ? 0 : 2,
      reports: kindOf(age) === "b" ? 0 : 1,
      added: 10,
      bytes: (120 - age) * 2 ** 20,
    }));
  const text = renderPage(wellStatus({ repositories: [sampleRepository({ days })] }));

  test("the calendar shows each of the last 120 days at its place", () => {
    const drawn = new Map<string, string>();
    const [, calendar = ""] = /<svg class="cal"[^>]*role="img">(.*?)<\/svg>/s.exec(text) ?? [];
    for (const [, kind = "", strokes = ""] of calendar.matchAll(/<path class="(.)" d="([^"]*)"/g)) {
      for (const [, x, y, length] of strokes.matchAll(/M([\d.]+) ([\d.]+)h(\d+)/g)) {
        const weekday = (Number(y) - 11.5) / 6;
        for (let at = Number(x); at < Number(x) + Number(length); at += 6) {
          const place = `${String(Math.floor(at / 6))}/${String(weekday)}`;
          expect(drawn.has(place)).toBe(false);
          drawn.set(place, kind);
        }
      }
    }
    const oldest = SAMPLE_AT - 119 * DAY;
    // 2026-11-15, a Sunday, is alone in its week.
    expect(new Date(oldest).toISOString()).toMatch(/^2026-11-15/);
    const expected = Array.from({ length: 120 }, (_, n) => {
      const place = n === 0 ? "0/6" : `${String(1 + Math.floor((n - 1) / 7))}/${String((n - 1) % 7)}`;
      return [place, kindOf(119 - n)] as const;
    });
    expect(new Map([...drawn].sort())).toEqual(new Map([...expected].sort()));
    const count = (...of: string[]): number => expected.filter(([, kind]) => of.includes(kind)).length;
    expect(calendar).toContain(
      `<desc>${String(count("b", "p"))} days with backups, ${String(count("p", "f"))} with reports, ${String(count("n"))} with nothing</desc>`,
    );
  });

  test(
    "the kinds of days differ in their shapes",
    async () => {
      await opened(text, {}, async ({ page }) => {
        const shapes = await page
          .locator("#rows .cal path")
          .evaluateAll((all) =>
            all.map((one) => getComputedStyle(one).strokeWidth + getComputedStyle(one).strokeDasharray),
          );
        expect(shapes).toHaveLength(4);
        expect(new Set(shapes).size).toBe(4);
        const months = await page.locator("#months text").allTextContents();
        expect(months).toEqual(["Dec", "Jan", "Feb", "Mar"]);
      });
    },
    LIMIT,
  );

  test("growth is drawn from nothing to the most there was", () => {
    const [, desc = "", points = ""] =
      /<title>Growth<\/title><desc>([^<]*)<\/desc><polyline points="([^"]*)"/.exec(text) ?? [];
    expect(desc).toBe("1 MiB on 2026-11-15, 120 MiB on 2027-03-14, at most 120 MiB");
    const all = points.split(" ").map((point) => point.split(",").map(Number));
    // The corners of what is filled are outside of the figure, which is 119 wide and 20 high.
    expect(all.slice(0, 3)).toEqual([
      [-1, 21],
      [-1, 20],
      [0, 20],
    ]);
    expect(all.slice(-3)).toEqual([
      [119, 2],
      [120, 2],
      [120, 21],
    ]);
  });
});

test(
  "a thousand repositories are a page of less than three megabytes",
  async () => {
    const text = renderPage(manyStatus(1000));
    expect(Buffer.byteLength(text)).toBeLessThan(3_000_000);
    await opened(text, { width: 360 }, async ({ page }) => {
      expect(await page.locator("#rows tbody").count()).toBe(1000);
      expect(await page.locator("#alarms ~ ul > .alarm").count()).toBe(20);
    });
  },
  LIMIT,
);

test(
  "of very many alarms the first are shown, and the others can be opened",
  async () => {
    const { repositories } = manyStatus(60);
    const alarms = repositories.map((one) => sampleAlarm("overdue", one));
    await opened(renderPage(wellStatus({ repositories, alarms })), {}, async ({ page }) => {
      expect(await page.locator(".alarm:visible").count()).toBe(50);
      await page.getByText("10 more").click();
      expect(await page.locator(".alarm:visible").count()).toBe(60);
    });
  },
  LIMIT,
);

if (process.env.SCREENSHOTS !== undefined) {
  test(
    "the pictures in docs/ are taken again",
    async () => {
      const { bucket, alarms, ...rest } = sampleStatus();
      const shown = ["overdue", "hidden-object", "waits-for-approval", "partial"];
      const status = {
        ...rest,
        bucket: { ...bucket, quota: 512 * 2 ** 30 },
        alarms: alarms.filter(({ kind }) => shown.includes(kind)),
      };
      const picture = (name: string, look: Look, height: number): Promise<void> =>
        opened(renderPage(status), look, async ({ page }) => {
          await page.setViewportSize({ width: look.width ?? 1280, height });
          await page.screenshot({ path: path.join(ROOT, "docs", name) });
        });
      await picture("status-page.png", { width: 1280, scheme: "light" }, 1080);
      await picture("status-page-phone.png", { width: 360, scheme: "dark" }, 1300);
    },
    LIMIT,
  );
}
