/** Stands for a chat service: prints the words of each message that a webhook posts to it, as JSON, one a line. */
import * as http from "node:http";

/** Bytes of a message. */
const MOST_BYTES = 1 << 20;

function receive(address: string, port: number): void {
  const server = http.createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (part: string) => {
      body += part;
      if (body.length > MOST_BYTES) request.destroy();
    });
    request.on("end", () => {
      const { text, test } = JSON.parse(body) as { text: string; test: boolean };
      console.log(JSON.stringify({ text, test }));
      response.writeHead(204).end();
    });
  });
  server.listen(port, address, () => {
    console.log(JSON.stringify("listens"));
  });
}

if (require.main === module) receive(process.argv[2] ?? "", Number(process.argv[3]));
