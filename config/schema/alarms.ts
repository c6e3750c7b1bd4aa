import { z } from "zod";
import { commandPathProblem, mailAddressProblem, webUrlProblem } from "../values/alarms";
import { addressProblem } from "../values/addresses";
import { nameProblem } from "../values/names";
import { list, mapping, missingOrWrong, port, secret, text, textList, withoutText, within } from "./fields";

/** Who gets a message when something is amiss, and from when on it is. The keeper sends. */
export interface AlarmsConfig {
  /**
   * Hours after its time, and after the window over which its start is spread, at which a backup that has not arrived is
   * overdue. A whole number from 1 to 720.
   * @default 6
   */
  readonly graceHours: number;
  /**
   * Hour of the day, UTC, from which the daily summary is sent, 0 to 23.
   * @default 6
   */
  readonly digestHour: number;
  /**
   * GiB that the bucket may have, old versions included, 1 to 8000000; at nine tenths of it an alarm is sent.
   * @default what the S3 service says, where it says so
   */
  readonly quotaGib?: number;
  /** @default none */
  readonly mail?: MailConfig;
  /** @default none */
  readonly webhooks: readonly WebhookConfig[];
  /** @default none */
  readonly command?: CommandConfig;
  /**
   * Secret. An http(s) URL that is requested after each whole round of the watcher, so that somebody outside notices
   * when none comes any more.
   * @default none
   */
  readonly ping?: string;
}

/** Alarms by e-mail. */
export interface MailConfig {
  /** Host name or address of the SMTP server. Required. */
  readonly server: string;
  /** @default 465 with `tls`, else 587 */
  readonly port: number;
  /**
   * `tls` from the start, `starttls` (refused where the server does not offer it), or `none`.
   * @default `starttls`
   */
  readonly security: "tls" | "starttls" | "none";
  /** @default none, and the server is not asked to authenticate */
  readonly user?: string;
  /** Secret. Required with `user`. */
  readonly password?: string;
  /** Address of the sender. Required. */
  readonly from: string;
  /** Addresses of those who get it. Required. */
  readonly to: readonly string[];
}

/** Alarms to a web service. */
export interface WebhookConfig {
  /** What the status calls it: a lower-case DNS label. Required. */
  readonly name: string;
  /** Secret. An http(s) URL; what it holds beyond the host's name often is the password. Required. */
  readonly url: string;
  /**
   * `json`: this project's own, with the alarms as data; the others are messages of chat services (`slack` also serves
   * Mattermost and Rocket.Chat).
   * @default `json`
   */
  readonly form: "json" | "slack" | "discord" | "teams";
}

/** Alarms to a program of the keeper's host, as JSON on its standard input. */
export interface CommandConfig {
  /** Absolute path, on the keeper. Required. */
  readonly path: string;
  /** @default none */
  readonly args: readonly string[];
}

const SECURITY = ["tls", "starttls", "none"] as const;
const FORMS = ["json", "slack", "discord", "teams"] as const;

const oneWord = <Word extends string>(what: string, words: readonly [Word, ...Word[]]) =>
  z.enum(words, {
    error: ({ input }) =>
      missingOrWrong(input, what, `write ${words.slice(0, -1).join(", ")} or ${String(words.at(-1))}`),
  });

const mail = mapping(
  {
    server: text(
      'give the host name or address of the SMTP server, for example "mail.example.com"',
      addressProblem,
    ),
    port: port().optional(),
    security: oneWord("a kind of security", SECURITY).default("starttls"),
    user: text("give the user at the SMTP server, or leave it out").optional(),
    password: secret("give the password at the SMTP server").optional(),
    from: text('give the address of the sender, for example "backups@example.com"', mailAddressProblem),
    to: textList(
      text('give an e-mail address, for example "ops@example.com"', mailAddressProblem),
      'list the addresses of those who get it, for example ["ops@example.com"]',
      1,
    ),
  },
  "give server, from and to, or leave it out",
);

const webhook = mapping(
  {
    name: text("give a name, by which the status calls it", nameProblem),
    url: secret("give the URL that the service shows", webUrlProblem),
    form: oneWord("a form", FORMS).default("json"),
  },
  "give name and url",
);

const command = mapping(
  {
    path: text("give the path of the program on the keeper", commandPathProblem),
    args: list(text("give an argument"), "list the arguments, or leave it out").default([]),
  },
  "give path, and args where there are any",
);

const hours = (what: string, least: number, most: number) => within(what, least, most).default(6);

/** In bytes still a whole number that is exact. */
const MOST_GIB = 8_000_000;

export const alarms = mapping(
  {
    graceHours: hours("a number of hours", 1, 720),
    digestHour: hours("an hour of the day", 0, 23),
    quotaGib: within("a number of GiB", 1, MOST_GIB).optional(),
    mail: mail.optional(),
    // A URL in the list's place is a secret, too.
    webhooks: list(webhook, "list the webhooks, each with name and url, or write []", 0, withoutText).default(
      [],
    ),
    command: command.optional(),
    ping: secret("give the URL to request after each round, or leave it out", webUrlProblem).optional(),
  },
  "give mail, webhooks, command or ping, or leave it out",
);
