/** The two figures of a repository on the page: a calendar of its days, and how it grew. */
import { DAY } from "../time";
import { bytes, counted, dayOf } from "../words";
import { type Html, markup } from "./markup";
import { CALENDAR_DAYS, type Day } from "./schema";

/** From one day of the calendar to the next; a day is one less wide. */
const STEP = 6;
/** What the names of the months take above the days. */
const TOP = 9;

const WIDTH = Math.ceil((CALENDAR_DAYS + 6) / 7) * STEP;
const HEIGHT = TOP + 7 * STEP;

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** A day of the figures, and its place in the calendar: a column is a week, from Monday on. */
export interface Place {
  /** `YYYY-MM-DD`, UTC. */
  readonly day: string;
  readonly week: number;
  readonly weekday: number;
}

/** The days until `at` that the figures show, the oldest first. */
export function placesUntil(at: number): Place[] {
  const oldest = at - (CALENDAR_DAYS - 1) * DAY;
  const before = (new Date(oldest).getUTCDay() + 6) % 7;
  return Array.from({ length: CALENDAR_DAYS }, (_, n) => ({
    day: dayOf(oldest + n * DAY),
    week: Math.floor((before + n) / 7),
    weekday: (before + n) % 7,
  }));
}

/** The names of the months, which every calendar of a page shows by reference. */
export function calendarMonths(places: readonly Place[]): Html {
  const firsts = places.filter(({ day }) => day.endsWith("-01"));
  return markup`<svg class="defs" aria-hidden="true"><defs><g id="months">${firsts.map(
    ({ day, week }) => markup`<text x="${week * STEP}" y="6">${MONTHS[Number(day.slice(5, 7)) - 1]}</text>`,
  )}</g></defs></svg>`;
}

/** How a day is drawn: where its strokes begin within it, and how long the last one is. The dashes are the style's. */
const MARKS = {
  /** A square: backups arrived. */
  b: { from: 0, less: 1 },
  /** Two bars: backups and reports of runs that were not whole. */
  p: { from: 0, less: 1 },
  /** A flat bar: reports alone. */
  f: { from: 0, less: 1 },
  /** A dot: nothing arrived. */
  n: { from: 2, less: 3 },
} as const;
type Mark = keyof typeof MARKS;
const KINDS = Object.keys(MARKS) as Mark[];

const markOf = (day: Day | undefined): Mark => {
  if (day === undefined || (day.backups === 0 && day.reports === 0)) return "n";
  if (day.reports === 0) return "b";
  return day.backups === 0 ? "f" : "p";
};

/** What the calendar means, for those who cannot know it yet. */
export function calendarLegend(): Html {
  const words: Record<Mark, string> = {
    b: "backups",
    p: "backups, and reports of runs that were not whole",
    f: "only such reports",
    n: "nothing",
  };
  return markup`<ul class="legend">${KINDS.map(
    (mark) =>
      markup`<li><svg class="cal" viewBox="0 0 5 5" width="10" height="10" aria-hidden="true"><path class="${mark}" d="M${MARKS[mark].from} 2.5h${STEP - MARKS[mark].from - MARKS[mark].less}"/></svg> ${words[mark]}</li>`,
  )}</ul>`;
}

/**
 * A calendar. Days of one kind that follow each other on one weekday are one stroke, so that the calendar of a
 * repository that is well takes a few hundred bytes.
 */
export function calendar(days: readonly Day[], places: readonly Place[]): Html {
  const known = new Map(days.map((day) => [day.day, day]));
  const strokes: Record<Mark, string> = { b: "", p: "", f: "", n: "" };
  const seen: Record<Mark, number> = { b: 0, p: 0, f: 0, n: 0 };
  for (let weekday = 0; weekday < 7; weekday++) {
    const row = places.filter((place) => place.weekday === weekday);
    const marks = row.map(({ day }) => markOf(known.get(day)));
    let first = 0;
    marks.forEach((mark, n) => {
      seen[mark] += 1;
      if (mark === marks[n + 1]) return;
      const { from, less } = MARKS[mark];
      const x = (row[first]?.week ?? 0) * STEP + from;
      strokes[mark] += `M${x} ${TOP + weekday * STEP + 2.5}h${(n + 1 - first) * STEP - from - less}`;
      first = n + 1;
    });
  }
  const drawn = KINDS.filter((mark) => strokes[mark] !== "");
  return markup`<svg class="cal" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img"><title>Last ${CALENDAR_DAYS} days</title><desc>${counted(seen.b + seen.p, "day")} with backups, ${seen.p + seen.f} with reports, ${seen.n} with nothing</desc><use href="#months"/>${drawn.map((mark) => markup`<path class="${mark}" d="${strokes[mark]}"/>`)}</svg>`;
}

const GROWTH_HEIGHT = 20;

/** How the bytes of a repository grew in these days, from nothing to the most there were. */
export function growth(days: readonly Day[], places: readonly Place[]): Html {
  const known = new Map(days.map((day) => [day.day, day.bytes]));
  const sizes = places.flatMap(({ day }, x) => {
    const size = known.get(day);
    return size === undefined ? [] : [{ day, x, size }];
  });
  const first = sizes[0];
  const last = sizes.at(-1);
  if (first === undefined || last === undefined) return markup``;
  const most = Math.max(1, ...sizes.map(({ size }) => size));
  const points = sizes.map(({ x, size }) => ({
    x,
    y: GROWTH_HEIGHT - Math.round((size / most) * (GROWTH_HEIGHT - 2)),
  }));
  // A point between two of the same height shows nothing; the edges of what is filled are outside of the figure.
  const shown = points.filter(({ y }, n) => y !== points[n - 1]?.y || y !== points[n + 1]?.y);
  const corners = (x: number, y = 0) => [
    { x, y: GROWTH_HEIGHT + 1 },
    { x, y },
  ];
  const line = [
    ...corners(first.x - 1, points[0]?.y),
    ...shown,
    ...corners(last.x + 1, points.at(-1)?.y).reverse(),
  ].map(({ x, y }) => `${x},${y}`);
  return markup`<svg class="growth" viewBox="0 0 ${CALENDAR_DAYS - 1} ${GROWTH_HEIGHT}" width="${CALENDAR_DAYS - 1}" height="${GROWTH_HEIGHT}" role="img"><title>Growth</title><desc>${bytes(first.size)} on ${first.day}, ${bytes(last.size)} on ${last.day}, at most ${bytes(most)}</desc><polyline points="${line.join(" ")}"/></svg>`;
}
