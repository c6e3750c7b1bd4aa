/** Alarms by e-mail. */
import { createTransport } from "nodemailer";
import type { MailConfig } from "../../../config/schema/alarms";
import type { Message } from "../message";

/** Milliseconds to connect, for the server's greeting, and of silence. */
const CONNECT_MS = 10_000;
const SILENCE_MS = 15_000;

/**
 * Sends the message to all recipients.
 *
 * @returns the recipients that the server refused while it took others; `undefined`: none
 * @throws Error where nobody gets it
 */
export async function sendMail(
  config: MailConfig,
  message: Message,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { server, port, security, user, password } = config;
  const transport = createTransport({
    host: server,
    port,
    secure: security === "tls",
    requireTLS: security === "starttls",
    ignoreTLS: security === "none",
    ...(user === undefined ? {} : { auth: { user, pass: password ?? "" } }),
    connectionTimeout: CONNECT_MS,
    greetingTimeout: CONNECT_MS,
    dnsTimeout: CONNECT_MS,
    socketTimeout: SILENCE_MS,
    // The server need not end the connection first.
    socketCloseTimeout: 0,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    const { rejected } = await transport.sendMail({
      // As objects they are not parsed: each is one address.
      from: { name: "", address: config.from },
      to: config.to.map((address) => ({ name: "", address })),
      subject: message.subject,
      text: message.text,
      date: new Date(message.at),
      // No absence is answered.
      headers: { "Auto-Submitted": "auto-generated" },
      xMailer: false,
      signal,
    });
    return rejected.length === 0 ? undefined : `the server refused ${rejected.join(", ")}`;
  } finally {
    transport.close();
  }
}
