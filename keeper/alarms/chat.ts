/**
 * A message in the forms of chat services. The words stand in a block of code, or in runs of text without markup, where
 * nothing is a link, a mention or a picture; what would end the block, or be one of those nevertheless, is replaced.
 */
import type { WebhookConfig } from "../../config/schema/alarms";
import { fitting, type Message } from "./message";

/**
 * Most characters of a message: Rocket.Chat takes 5,000, Slack advises 4,000, Discord takes 2,000 (its API refuses more).
 * Teams takes 28 KB with all of the JSON around it.
 */
const MOST_SLACK = 3_900;
const MOST_DISCORD = 1_900;
const MOST_TEAMS_BYTES = 24_000;

const FENCE = "```";

/** What a web service gets. */
export function bodyFor(form: WebhookConfig["form"], message: Message): unknown {
  switch (form) {
    case "json":
      return message;
    case "slack":
      return { text: fenced(message, MOST_SLACK, escaped), unfurl_links: false, unfurl_media: false };
    case "discord":
      return {
        content: fenced(message, MOST_DISCORD, (line) => line),
        allowed_mentions: { parse: [] },
        // No previews of links.
        flags: 4,
      };
    case "teams":
      return teams(message);
  }
}

/** A line without what a chat makes a mention, a link or the end of the code of. */
const inert = (line: string): string =>
  line.replaceAll("`", "'").replaceAll("@", "\uff20").replaceAll("://", "[:]//");

/** Slack's three characters of control. */
const escaped = (line: string): string =>
  line.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const linesOf = ({ text }: Message): string[] => text.split("\n").map(inert);

function fenced(message: Message, most: number, escape: (line: string) => string): string {
  const lines = fitting(linesOf(message).map(escape), most, ({ length }) => length + 1);
  return [FENCE, ...lines, FENCE].join("\n");
}

/** An adaptive card: a run of text in it knows no markup. */
function teams(message: Message): unknown {
  const block = (line: string) => ({
    type: "RichTextBlock",
    spacing: "None",
    // A run must not be empty.
    inlines: [{ type: "TextRun", text: line === "" ? " " : line }],
  });
  const size = (line: string) => Buffer.byteLength(JSON.stringify(block(line))) + 1;
  return {
    type: "message",
    attachments: [
      {
        contentType: "application/vnd.microsoft.card.adaptive",
        content: {
          $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
          type: "AdaptiveCard",
          version: "1.2",
          body: fitting(linesOf(message), MOST_TEAMS_BYTES, size).map(block),
        },
      },
    ],
  };
}
