/** Receivers of alarms on this machine: an SMTP server and a web server, each as well or as broken as a test wants. */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as http from "node:http";
import * as net from "node:net";
import * as path from "node:path";
import * as tls from "node:tls";

/** A key and a certificate for 127.0.0.1, signed by itself. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
  /** Where the certificate is. */
  readonly file: string;
}

/** Makes a certificate in a folder. */
export function certificate(folder: string): Certificate {
  const key = path.join(folder, "key.pem");
  const file = path.join(folder, "cert.pem");
  const what = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const name = ["-subj", "/CN=mail.test", "-addext", "subjectAltName=IP:127.0.0.1"];
  execFileSync("openssl", ["req", "-x509", ...what, ...name, "-keyout", key, "-out", file], {
    stdio: "ignore",
  });
  return { key: fs.readFileSync(key, "utf8"), cert: fs.readFileSync(file, "utf8"), file };
}

/** A mail as the server got it. */
export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Headers and body, lines ended by LF. */
  readonly content: string;
  readonly encrypted: boolean;
  /** User and password; absent: nobody logged in. */
  readonly login?: string;
}

/** How the server behaves. */
export interface SmtpManners {
  /** With TLS from the start. @default false */
  readonly implicit?: boolean;
  /** Whether it offers STARTTLS. @default true where it has a certificate */
  readonly starttls?: boolean;
  readonly certificate?: Certificate;
  /** Answers to these commands, in place of its own. */
  readonly answers?: Readonly<Record<string, string>>;
  /** Recipients that it refuses. */
  readonly refused?: readonly string[];
  /** Says nothing at all. */
  readonly silent?: boolean;
}

/** As much of RFC 5321 as a client needs that waits for each answer. */
export class SmtpReceiver {
  readonly mails: ReceivedMail[] = [];
  manners: SmtpManners;
  private readonly sockets = new Set<net.Socket>();

  private constructor(
    manners: SmtpManners,
    private readonly server: net.Server,
  ) {
    this.manners = manners;
  }

  static async start(manners: SmtpManners = {}, address?: string): Promise<SmtpReceiver> {
    const server =
      manners.implicit === true ? tls.createServer({ ...manners.certificate }) : net.createServer();
    const receiver = new SmtpReceiver(manners, server);
    server.on(manners.implicit === true ? "secureConnection" : "connection", (socket: net.Socket) => {
      receiver.serve(socket, manners.implicit === true, true);
    });
    // A client that refuses the certificate.
    server.on("tlsClientError", () => undefined);
    await listening(server, address);
    return receiver;
  }

  get port(): number {
    return (this.server.address() as net.AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private serve(socket: net.Socket, encrypted: boolean, greets: boolean): void {
    this.sockets.add(socket);
    socket.on("error", () => undefined);
    const { silent = false, starttls = true, certificate: own, answers = {}, refused = [] } = this.manners;
    if (silent) return;
    const say = (line: string) => socket.write(`${line}\r\n`);
    let from = "";
    let to: string[] = [];
    let login: string | undefined;
    let content: string[] | undefined;
    const command = (line: string): void => {
      const verb = line.split(" ")[0]?.toUpperCase() ?? "";
      const answer = answers[verb];
      if (answer !== undefined) {
        say(answer);
      } else if (verb === "EHLO") {
        const offers = !encrypted && starttls && own !== undefined ? ["STARTTLS"] : [];
        for (const one of ["receiver", ...offers, "AUTH PLAIN"]) say(`250-${one}`);
        say("250 8BITMIME");
      } else if (verb === "STARTTLS") {
        say("220 go on");
        socket.removeAllListeners("data");
        this.serve(new tls.TLSSocket(socket, { isServer: true, ...own }), true, false);
      } else if (verb === "AUTH") {
        login = Buffer.from(line.split(" ")[2] ?? "", "base64")
          .toString()
          .slice(1)
          .replace("\0", ":");
        say("235 welcome");
      } else if (verb === "MAIL") {
        from = line;
        to = [];
        say("250 ok");
      } else if (verb === "RCPT") {
        const refuse = refused.find((address) => line.includes(`<${address}>`));
        if (refuse === undefined) to.push(line);
        say(refuse === undefined ? "250 ok" : "550 no such mailbox");
      } else if (verb === "DATA") {
        content = [];
        say("354 go on");
      } else {
        say(verb === "QUIT" ? "221 bye" : "502 what?");
      }
    };
    let rest = "";
    socket.on("data", (chunk: Buffer) => {
      const lines = (rest + chunk.toString("latin1")).split("\r\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (content === undefined) {
          command(line);
        } else if (line === ".") {
          const mail = { from, to, content: content.join("\n"), encrypted };
          this.mails.push({ ...mail, ...(login === undefined ? {} : { login }) });
          content = undefined;
          say("250 taken");
        } else {
          content.push(line.replace(/^\.\./, "."));
        }
      }
    });
    if (greets) say("220 receiver ESMTP");
  }
}

/** A request as the server got it. */
export interface ReceivedRequest {
  readonly method: string;
  readonly url: string;
  readonly authorization?: string;
  readonly body: string;
}

/** A web server that answers each request with the status of the moment. */
export class HttpReceiver {
  readonly requests: ReceivedRequest[] = [];
  /** `hang`: it takes the request and never answers; `cut`: it ends the connection. */
  answer: number | "hang" | "cut" = 200;

  private constructor(
    private readonly server: http.Server,
    /** Also after its end. */
    readonly port: string,
  ) {}

  static async start(): Promise<HttpReceiver> {
    const server = http.createServer((request, response) => {
      const { method = "", url = "" } = request;
      const { authorization } = request.headers;
      let body = "";
      request.setEncoding("utf8").on("data", (text: string) => (body += text));
      request.on("end", () => {
        receiver.requests.push({
          method,
          url,
          ...(authorization === undefined ? {} : { authorization }),
          body,
        });
        const { answer } = receiver;
        if (answer === "hang") return;
        if (answer === "cut") request.socket.destroy();
        else response.writeHead(answer, answer === 302 ? { location: "/elsewhere" } : {}).end(`see ${url}`);
      });
    });
    await listening(server);
    const receiver = new HttpReceiver(server, String((server.address() as net.AddressInfo).port));
    return receiver;
  }

  /** The server's URL, without a path. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const listening = (server: net.Server, address = "127.0.0.1"): Promise<void> =>
  new Promise((resolve) => server.listen(0, address, resolve));
