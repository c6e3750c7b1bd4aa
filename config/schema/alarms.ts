/** Who is told when something is amiss, and from when on it is. The keeper sends. */
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
   * GiB that the bucket may have, old versions included; at nine tenths of it an alarm is sent.
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
