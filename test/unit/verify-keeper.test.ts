import { expect, test } from "@jest/globals";
import { unitsSeen } from "../../operations/verify/hosts/keeper";

const UNITS = [
  "keeper-gate.service",
  "keeper-round.timer",
  "keeper-watch.timer",
  "keeper-watch.service",
  "keeper-round.service",
  "keeper-due.service",
  "keeper-worker@x-x.service",
];
const SOUND = {
  LoadState: "loaded",
  ActiveState: "active",
  UnitFileState: "enabled",
  DropInPaths: "",
  NeedDaemonReload: "no",
};

/** What `systemctl show` prints, with one unit changed. */
const shown = (unit?: string, change: Partial<typeof SOUND> = {}): string =>
  UNITS.map((Id) =>
    Object.entries({ Id, ...SOUND, ...(Id === unit ? change : {}) })
      .map((field) => field.join("="))
      .join("\n"),
  ).join("\n\n");

test("the keeper's units as the stack wrote them pass", () => {
  expect(unitsSeen(shown()).holds).toBe(true);
});

test.each([
  ["keeper-gate.service", { ActiveState: "failed" }, "is failed"],
  ["keeper-watch.timer", { ActiveState: "inactive" }, "is inactive"],
  ["keeper-watch.service", { DropInPaths: "/run/systemd/system/x.conf" }, "is changed by"],
  ["keeper-round.timer", { UnitFileState: "disabled" }, "is disabled"],
  ["keeper-worker@x-x.service", { DropInPaths: "/etc/systemd/system/x.conf" }, "is changed by"],
  ["keeper-due.service", { NeedDaemonReload: "yes" }, "is not yet read"],
  ["keeper-round.service", { LoadState: "masked" }, "is masked"],
])("a keeper whose %s has %j fails", (unit, change, happened) => {
  const result = unitsSeen(shown(unit, change));
  expect(result).toMatchObject({ holds: false, happened: expect.stringContaining(`${unit} ${happened}`) });
});

test("a unit that is at rest between its runs passes, and one that is not there fails", () => {
  expect(unitsSeen(shown("keeper-round.service", { ActiveState: "inactive" })).holds).toBe(true);
  expect(unitsSeen(shown("keeper-watch.service", { ActiveState: "failed" })).holds).toBe(true);
  expect(unitsSeen(shown().replace(/^Id=keeper-due.service$/m, "Id=other"))).toMatchObject({ holds: false });
});
