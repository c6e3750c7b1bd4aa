import { readSummary } from "../../../hosts/summary";
import { danger, Markdown, say, note, nothing, Sentence } from "../markdown";
import { Inputs, Step } from "../model";
import { isUnknown } from "../secrets";
import { because, byOp, change, changes, ofType, properties, ResourceType, targetChange } from "./inputs";

const flavor = (inputs: Inputs): unknown => inputs.flavorName ?? inputs.flavorId;

/** The machine itself; `image` is what the configuration calls its image. */
function machine(step: Step, image: unknown): Iterable<Sentence> {
  const { op, name, before, after } = step;
  const refused = step.protected
    ? say` (it is protected: the update is refused until it is unprotected)`
    : nothing;
  const from = image === undefined ? nothing : say`, image ${image}`;
  const resized =
    flavor(before) === flavor(after)
      ? nothing
      : say`: flavor ${change(flavor(before), flavor(after))}, which restarts it`;
  return byOp(op, {
    delete: danger`host ${name} is **destroyed with its disk**${refused}`,
    replace: danger`host ${name} is **destroyed and rebuilt**${because(step)}${refused}`,
    create: note`host ${name} is created: flavor ${flavor(after)}${from}`,
    update: note`host ${name} is changed in place (${properties(step)})${resized}`,
  });
}

/** What a changed input of a resource means for hosts that are not rebuilt. */
const SETTINGS: [ResourceType, string, (step: Step, changed: Markdown) => Sentence][] = [
  ["proxy", "rclone", (_, changed) => note`rclone on the proxy: ${changed}`],
  [
    "proxy",
    "hostName",
    (_, changed) => note`clients outside the network reach the proxy by another name: ${changed}`,
  ],
  ["keeper", "node", (_, changed) => note`Node.js on the keeper: ${changed}`],
  ["keeper", "restic", (_, changed) => note`restic on the keeper: ${changed}`],
  [
    "host",
    "image",
    ({ name }, changed) =>
      note`image of ${name}: ${changed}, used when the host is next rebuilt; a running host keeps its image`,
  ],
  [
    "operator",
    "jumpHost",
    ({ before, after }) =>
      danger`the hosts are reached through another jump host: ${targetChange(before.jumpHost, after.jumpHost, ["no jump host", "no jump host"])}`,
  ],
];

/** The program that a host installs and runs as root. */
function* program({ name, before, after }: Step): Iterable<Sentence> {
  const [was, is] = [readSummary(before).title, readSummary(after).title];
  if (was !== is && !isUnknown(after.install)) {
    yield danger`host ${name} runs another program as root: ${change(was, is)}`;
  }
}

/** Which hosts come, go and change. */
export function* hosts(steps: Step[]): Iterable<Sentence> {
  const images = new Map(ofType(steps, "host").map(({ name, after }) => [name, after.image]));
  for (const step of ofType(steps, "instance")) {
    yield* machine(step, images.get(step.name));
  }
  for (const [type, key, sentence] of SETTINGS) {
    for (const step of ofType(steps, type).filter((step) => step.op === "update" && changes(step, key))) {
      yield sentence(step, change(step.before[key], step.after[key]));
    }
  }
  for (const step of ofType(steps, "files").filter(({ op }) => op === "update")) {
    yield* program(step);
  }
  for (const { op, name } of ofType(steps, "floatingIp")) {
    yield* byOp(op, {
      create: note`${name} gets a floating IP`,
      delete: danger`${name} loses its floating IP: its old address stops working`,
      replace: danger`${name} gets another floating IP: its old address stops working`,
    });
  }
}
